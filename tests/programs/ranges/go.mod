module ranges

go 1.23
