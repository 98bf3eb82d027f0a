module gomaps

go 1.15
