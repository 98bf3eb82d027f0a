// Rust: modules, methods, generic functions and closures, whose symbols are mangled.
mod store {
    pub struct Shelf {
        pub items: u32,
        pub label: &'static str,
    }

    impl Shelf {
        #[inline(never)]
        pub fn put(&mut self, count: u32) -> u32 {
            self.items += std::hint::black_box(count);
            self.items
        }
    }

    #[inline(never)]
    pub fn twice<T: std::ops::Add<Output = T> + Copy>(value: T) -> T {
        std::hint::black_box(value) + value
    }
}

#[inline(never)]
fn calls(f: &dyn Fn(u32) -> u32) -> u32 {
    std::hint::black_box(f)(3)
}

fn main() {
    let mut shelf = store::Shelf { items: 1, label: "top" };
    // What is not known before the program runs is handed over.
    let count = std::env::args().count() as u32 + 3;
    let sum = shelf.put(count) + store::twice(7u32) + calls(&|n| shelf.items + n);
    println!("{} {sum}", shelf.label);
}
