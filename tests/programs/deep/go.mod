module deep

go 1.15
