module crash

go 1.15
