module collect

go 1.15
