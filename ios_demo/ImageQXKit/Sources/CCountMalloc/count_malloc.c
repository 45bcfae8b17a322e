// Counts what the program asks for, on its way to glibc; for the benchmark alone.
#include "count_malloc.h"

#include <stdatomic.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_size_t calls, bytes;

static void count(size_t size) {
    atomic_fetch_add(&calls, 1);
    atomic_fetch_add(&bytes, size);
}

void *malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(number * size);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count(size);
    return __libc_realloc(old, size);
}

int posix_memalign(void **place, size_t alignment, size_t size) {
    count(size);
    *place = __libc_memalign(alignment, size);
    return *place ? 0 : 12;
}

struct allocations count_allocations(void) { return (struct allocations){calls, bytes}; }
