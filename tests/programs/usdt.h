/* Marks places for tracers as <sys/sdt.h> does, for the test programs: MARK2(provider, name, a, b) is a nop and a note. */
#ifndef USDT_H
#define USDT_H

#define MARK_NOTE(provider, name, semaphore, arguments)                                                   \
    "990: nop\n"                                                                                          \
    ".pushsection .note.stapsdt, \"\", \"note\"\n"                                                        \
    ".balign 4\n"                                                                                         \
    ".4byte 992f - 991f, 994f - 993f, 3\n"                                                                \
    "991: .asciz \"stapsdt\"\n"                                                                           \
    "992: .balign 4\n"                                                                                    \
    "993: .8byte 990b, _.stapsdt.base, " semaphore "\n"                                                   \
    ".asciz \"" #provider "\", \"" #name "\"\n"                                                           \
    ".asciz \"" arguments "\"\n"                                                                          \
    "994: .balign 4\n"                                                                                    \
    ".popsection\n"                                                                                       \
    ".ifndef _.stapsdt.base\n"                                                                            \
    ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"                           \
    ".weak _.stapsdt.base\n"                                                                              \
    ".hidden _.stapsdt.base\n"                                                                            \
    "_.stapsdt.base: .space 1\n"                                                                          \
    ".size _.stapsdt.base, 1\n"                                                                           \
    ".popsection\n"                                                                                       \
    ".endif\n"

/* A place without arguments, or with arguments in the assembler's notation that say what they like. */
#define MARK0(provider, name) __asm__ volatile(MARK_NOTE(provider, name, "0", ""))
#define MARK_TEXT(provider, name, text, ...) __asm__ volatile(MARK_NOTE(provider, name, "0", text) : : __VA_ARGS__)

/* Two arguments with their sizes, wherever the compiler has them. */
#define MARK2(provider, name, size0, a, size1, b)                                                         \
    __asm__ volatile(MARK_NOTE(provider, name, "0", #size0 "@%0 " #size1 "@%1") : : "nor"(a), "nor"(b))

/* A place that tracers are counted for in the variable provider_name_semaphore, an unsigned short of the section .probes. */
#define MARK_SEMAPHORE(provider, name) \
    __extension__ unsigned short provider##_##name##_semaphore __attribute__((section(".probes"), used))
#define MARK_ENABLED(provider, name) __builtin_expect(*(volatile unsigned short *)&provider##_##name##_semaphore, 0)
#define MARK1_COUNTED(provider, name, size, a) \
    __asm__ volatile(MARK_NOTE(provider, name, #provider "_" #name "_semaphore", #size "@%0") : : "nor"(a))

#endif
