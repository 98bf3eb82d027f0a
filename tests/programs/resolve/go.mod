module resolve

go 1.15
