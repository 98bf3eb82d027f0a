module fib

go 1.15
