/* Types of all kinds, for debug information: typedefs, enumerations, bit-fields, arrays, and a structure that is called like one of
   the kernel's. */
#include <stdio.h>

#define NOINLINE __attribute__((noinline, noclone))

enum color { RED, GREEN = 5, BLUE };
typedef struct {
    int x, y;
} point_t;
typedef unsigned int count_t;
typedef struct node node_t;

struct task_struct {
    int mine;
    char tag[4];
};

struct node {
    int value;
    node_t *next;
    point_t at;
    enum color c;
    unsigned f : 3;
    int g : 5;
    const char *name;
    char text[8];
    char **argv;
    float half;
    double twice;
    count_t big;
    union {
        int u;
        char v;
    };
    int (*call)(int);
    _Bool on;
    short grid[2][3];
};

NOINLINE int handle(node_t *n, struct task_struct *t, point_t *p, enum color c, count_t q) {
    __asm__ volatile("" : : "r"(n), "r"(t), "r"(p) : "memory");
    return n->value + t->mine + p->x + (int)c + (int)q;
}

int main(void) {
    char *argv[] = {"one", "two", 0};
    struct task_struct t = {7, "abc"};
    point_t p = {3, 4};
    node_t last = {.value = 2, .at = {5, 6}, .c = BLUE, .f = 1, .g = -2, .name = "tail", .text = "end", .big = 9};
    node_t n = {1,  &last, {1, -1}, GREEN, 5, -3, "head", "text", argv, 1.5f, -2.25, 4000000000u, {65}, 0, 1,
                {{1, 2, 3}, {4, 5, 6}}};
    printf("handle %d\n", handle(&n, &t, &p, GREEN, 11));
    return 0;
}
