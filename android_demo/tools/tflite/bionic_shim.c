/* What Android's C library (bionic) has and glibc has not, for libtensorflowlite_jni.so; for tests only.
 *
 * elf.py gives the library's imports that mean something else here the names that begin with X: bionic's FILE is not
 * glibc's, and neither are the numbers of sysconf. All others are the same functions in both.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* stdin, stdout and stderr of bionic: three FILEs of 152 bytes, which nobody looks into. */
enum { BIONIC_FILE_SIZE = 152 };
char __sF[3 * BIONIC_FILE_SIZE];

static FILE *to_glibc(FILE *file) {
    const char *place = (const char *)file;
    if (place < __sF || place >= __sF + sizeof __sF) return file; /* opened with fopen, which is glibc's */
    switch ((place - __sF) / BIONIC_FILE_SIZE) {
    case 0: return stdin;
    case 1: return stdout;
    default: return stderr;
    }
}

int Xfprintf(FILE *file, const char *format, va_list arguments) { /* vfprintf */
    return vfprintf(to_glibc(file), format, arguments);
}

int Xprintf(FILE *file, const char *format, ...) { /* fprintf */
    va_list arguments;
    va_start(arguments, format);
    int written = vfprintf(to_glibc(file), format, arguments);
    va_end(arguments);
    return written;
}

int Xputc(int character, FILE *file) { return fputc(character, to_glibc(file)); }

size_t Xwrite(const void *data, size_t size, size_t count, FILE *file) {
    return fwrite(data, size, count, to_glibc(file));
}

int Xflush(FILE *file) { return fflush(file ? to_glibc(file) : NULL); }

int Xileno(FILE *file) { return fileno(to_glibc(file)); }

/* The numbers are those of bionic's bits/sysconf.h. */
long Xysconf(int name) {
    switch (name) {
    case 39: case 40: return sysconf(_SC_PAGESIZE);
    case 96: return sysconf(_SC_NPROCESSORS_CONF);
    case 97: return sysconf(_SC_NPROCESSORS_ONLN);
    case 98: return sysconf(_SC_PHYS_PAGES);
    }
    fprintf(stderr, "bionic_shim: sysconf(%d) is not known\n", name);
    errno = EINVAL;
    return -1;
}

int *__errno(void) { return &errno; }

/* No property of the system is set. */
int __system_property_get(const char *name, char *value) {
    (void)name;
    value[0] = '\0';
    return 0;
}

void android_set_abort_message(const char *message) { fprintf(stderr, "abort: %s\n", message); }

int __android_log_vprint(int priority, const char *tag, const char *format, va_list arguments) {
    (void)priority;
    fprintf(stderr, "%s: ", tag);
    vfprintf(stderr, format, arguments);
    return fputc('\n', stderr);
}

size_t __strlen_chk(const char *text, size_t size) {
    (void)size;
    return strlen(text);
}

/* Called without a mode alone. */
int __open_2(const char *path, int flags) { return open(path, flags); }
