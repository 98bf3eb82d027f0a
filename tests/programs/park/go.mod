module park

go 1.15
