module pages

go 1.15
