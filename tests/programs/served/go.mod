module served

go 1.15
