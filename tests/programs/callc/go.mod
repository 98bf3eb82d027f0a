module callc

go 1.15
