module dialfail

go 1.15
