module types

go 1.15
