//! Tests of the back end on random IR: passes keep its meaning, allocations keep apart what is alive, instructions do what the
//! IR says.

mod allocation;
mod emission;
mod generate;
mod machine;
