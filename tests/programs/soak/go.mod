module soak

go 1.15
