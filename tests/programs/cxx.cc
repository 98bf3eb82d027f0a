// C++: namespaces, overloads, methods, constructors, templates, operators; parameters of all kinds of types.
#include <cstdio>

#define NOINLINE __attribute__((noinline, noclone))
#define KEEP(x) __asm__ volatile("" : : "g"(x) : "memory")

namespace shop {

enum Color { RED, GREEN = 5, BLUE };
enum class Size : unsigned char { SMALL = 1, LARGE = 3 };

struct Point {
    int x, y;
};
struct Span {
    const char *data;
    long len;
};
struct Big {
    long a[4];
};
struct Mixed {
    double weight;
    long id;
};
struct Node {
    int value;
    const Node *next;
    Point at;
    unsigned low : 3, high : 5;
    char name[8];
};

class Cart {
    long total_ = 0;
    const char *name_;

public:
    NOINLINE Cart(const char *name) : name_(name) { KEEP(name); }
    NOINLINE long add(int price, unsigned char count) {
        KEEP(this);
        return total_ += price * count;
    }
    NOINLINE long add(const char *text) {
        KEEP(text);
        return total_ += text[0];
    }
    NOINLINE long operator+(long more) const {
        KEEP(this);
        return total_ + more;
    }
    const char *name() const { return name_; }
};

NOINLINE int move(Point p, int by) { KEEP(by); return p.x + p.y + by; }
NOINLINE long length(Span s, bool twice) { KEEP(s.data); return twice ? 2 * s.len : s.len; }
NOINLINE long sum(Big b, long from) { KEEP(from); return b.a[0] + b.a[3] + from; }
NOINLINE long id(Mixed m, double factor, long more) { KEEP(factor); return m.id + more; }
NOINLINE int walk(const Node *node, Color color, Size size) {
    KEEP(node);
    int n = color + static_cast<int>(size);
    for (; node; node = node->next) n += node->value;
    return n;
}
NOINLINE long many(long a, long b, long c, long d, long e, long f, short g, int &h) {
    KEEP(&h);
    return a + b + c + d + e + f + g + h;
}
NOINLINE Point corner(int x) { Point p = {x, -x}; KEEP(x); return p; }
NOINLINE double half(double x) { KEEP(x); return x / 2; }

} // namespace shop

template <typename T> NOINLINE T largest(T a, T b) { KEEP(a); return a > b ? a : b; }

extern "C" NOINLINE int plain(int n) { KEEP(n); return n + 1; }

int main() {
    using namespace shop;
    Cart cart("apples");
    Node tail = {2, nullptr, {5, 6}, 1, 2, "tail"}, head = {1, &tail, {3, 4}, 5, 17, "head"};
    int h = 8;
    long n = cart.add(3, 4) + cart.add("A") + (cart + 1);
    n += move({7, -2}, 1) + length({"span", 4}, true) + sum({{1, 2, 3, 4}}, 10) + id({1.5, 9}, 2.5, 3);
    n += walk(&head, GREEN, Size::LARGE) + many(1, 2, 3, 4, 5, 6, -7, h) + corner(4).y + (long)half(8);
    n += largest(3, 4) + largest(5L, 4L) + plain(1);
    printf("%s %ld\n", cart.name(), n);
    return 0;
}
