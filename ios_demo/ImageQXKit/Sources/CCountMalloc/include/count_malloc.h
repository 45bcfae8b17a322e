#include <stddef.h>

/// How many times, and for how many bytes in all, this program has asked for memory.
struct allocations {
    size_t calls;
    size_t bytes;
};

struct allocations count_allocations(void);
