module leaf

go 1.15
