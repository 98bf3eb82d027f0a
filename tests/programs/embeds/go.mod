module embeds

go 1.15
