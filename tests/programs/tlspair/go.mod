module tlspair

go 1.15
