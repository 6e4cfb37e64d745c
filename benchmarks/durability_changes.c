/* Stands between a process and its disk: counts the changes below one folder, tells them to a file,
 * and at the N-th of them kills, stops, or says that the disk is full.
 *
 * Preloaded (LD_PRELOAD) it sees what every library of the process asks the C library for: Python's,
 * SQLite's, Arrow's. What the C library writes by itself (of a FILE) it sees at fwrite.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TELL = 0, KILL = 1, STOP = 2, FULL = 3, TORN = 4, LAST = 5 };

/* Shared with the children that the process forks, so that theirs count too. */
struct shared {
    atomic_long count;
    atomic_int full;
};

static struct shared *shared;
static char root[4096];
static size_t root_length;
static long chosen;
static int act, told = -1;

/* Begin to count below `folder`; `what` is done at change number `at`. `file` is told each. */
int durability_arm(const char *folder, long at, int what, const char *file) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return -1;
    chosen = at;
    act = what;
    if (*file) {
        told = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
        if (told < 0) return -1;
    }
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    return 0;
}

long durability_count(void) { return shared ? atomic_load(&shared->count) : -1; }

static void die(void) {
    syscall(SYS_kill, 0, SIGKILL);
    for (;;) syscall(SYS_pause);
}

/* The absolute path of `path` at `folder` into `found`; whether it lies below the root. */
static int below(int folder, const char *path, char *found, size_t size) {
    size_t length = 0;
    if (path == NULL || path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (path == NULL) return 0;
            long got = syscall(SYS_getcwd, found, size);
            if (got <= 0) return 0;
            length = strlen(found);
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            long got = syscall(SYS_readlinkat, AT_FDCWD, link, found, size - 1);
            if (got <= 0) return 0;
            length = (size_t)got;
            found[length] = 0;
        }
        if (path != NULL && *path && length + 1 < size) found[length++] = '/';
    }
    if (path != NULL) {
        while (path[0] == '.' && path[1] == '/') path += 2;
        strncpy(found + length, path, size - length - 1);
        found[size - 1] = 0;
    }
    return strncmp(found, root, root_length) == 0 && (found[root_length] == '/' || found[root_length] == 0);
}

/* One change of the disk is about to be made. Returns an error to give instead, 0, or -1: write half.
 * `grows`: whether a disk that is full refuses it. */
static int change(const char *what, int grows, int folder, const char *path, int folder2, const char *path2) {
    if (!shared) return 0;
    int kept = errno;
    char first[4096], second[4096] = "";
    int inside = below(folder, path, first, sizeof first);
    if (path2 != NULL) inside |= below(folder2, path2, second, sizeof second);
    errno = kept;
    if (!inside) return 0;
    if (strcmp(what, "mkdir") == 0 || strcmp(what, "unlink") == 0) {
        /* To make what is there, or to remove what is not, changes nothing. */
        struct stat64 there;
        int exists = fstatat64(AT_FDCWD, first, &there, AT_SYMLINK_NOFOLLOW) == 0;
        errno = kept;
        if (exists == (*what == 'm')) return 0;
    }
    long number = atomic_fetch_add(&shared->count, 1) + 1;
    if (told >= 0) {
        char line[8400];
        const char *a = strncmp(first, root, root_length) == 0 ? first + root_length : first;
        const char *b = strncmp(second, root, root_length) == 0 ? second + root_length : second;
        int length = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\n", number, what, a, b);
        syscall(SYS_write, told, line, (size_t)length);
        errno = kept;
    }
    if (act == FULL && grows && atomic_load(&shared->full)) return grows == 2 && number != chosen ? 0 : ENOSPC;
    if (number != chosen) return 0;
    switch (act) {
    case KILL: die(); break;
    case STOP: syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP); break;
    case FULL:
        if (!grows) return 0;
        atomic_store(&shared->full, 1);
        return strcmp(what, "write") == 0 ? -1 : ENOSPC;
    case TORN: return strcmp(what, "write") == 0 ? -1 : 0;
    }
    errno = kept;
    return 0;
}

/* After the change that was chosen for LAST. */
static void after(void) {
    if (shared && act == LAST && atomic_load(&shared->count) >= chosen) die();
}

#define REAL(name, type, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define ONE(name, signature, call, what, grows, folder, path) \
    int name signature { \
        REAL(#name, int, ONE_TYPES); \
        int error = change(what, grows, folder, path, 0, NULL); \
        if (error > 0) { errno = error; return -1; } \
        int result = real call; \
        after(); \
        return result; \
    }

#define ONE_TYPES const char *
ONE(unlink, (const char *path), (path), "unlink", 0, AT_FDCWD, path)
ONE(rmdir, (const char *path), (path), "rmdir", 0, AT_FDCWD, path)
ONE(remove, (const char *path), (path), "unlink", 0, AT_FDCWD, path)
#undef ONE_TYPES
#define ONE_TYPES const char *, mode_t
ONE(mkdir, (const char *path, mode_t mode), (path, mode), "mkdir", 1, AT_FDCWD, path)
ONE(chmod, (const char *path, mode_t mode), (path, mode), "chmod", 0, AT_FDCWD, path)
#undef ONE_TYPES
#define ONE_TYPES int, const char *, mode_t
ONE(mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode), "mkdir", 1, folder, path)
#undef ONE_TYPES
#define ONE_TYPES int, const char *, int
ONE(unlinkat, (int folder, const char *path, int flags), (folder, path, flags), flags & AT_REMOVEDIR ? "rmdir" : "unlink", 0, folder, path)
#undef ONE_TYPES
#define ONE_TYPES int, mode_t
ONE(fchmod, (int file, mode_t mode), (file, mode), "chmod", 0, file, NULL)
#undef ONE_TYPES
#define ONE_TYPES int
ONE(fsync, (int file), (file), "fsync", 0, file, NULL)
ONE(fdatasync, (int file), (file), "fsync", 0, file, NULL)
#undef ONE_TYPES
#define ONE_TYPES const char *, off_t
ONE(truncate, (const char *path, off_t length), (path, length), "truncate", 0, AT_FDCWD, path)
ONE(truncate64, (const char *path, off_t length), (path, length), "truncate", 0, AT_FDCWD, path)
#undef ONE_TYPES
#define ONE_TYPES int, off_t
ONE(ftruncate, (int file, off_t length), (file, length), "truncate", 0, file, NULL)
ONE(ftruncate64, (int file, off_t length), (file, length), "truncate", 0, file, NULL)
#undef ONE_TYPES
#define ONE_TYPES int, const char *, const struct timespec *, int
ONE(utimensat, (int folder, const char *path, const struct timespec *times, int flags), (folder, path, times, flags), "utime", 0, folder, path)
#undef ONE_TYPES
#define ONE_TYPES int, off_t, off_t
ONE(posix_fallocate, (int file, off_t from, off_t length), (file, from, length), "truncate", 1, file, NULL)
#undef ONE_TYPES

#define TWO(name, signature, types, call, what, f1, p1, f2, p2) \
    int name signature { \
        REAL(#name, int, types); \
        int error = change(what, 2, f1, p1, f2, p2); \
        if (error > 0) { errno = error; return -1; } \
        int result = real call; \
        after(); \
        return result; \
    }
#define LIST(...) __VA_ARGS__
TWO(rename, (const char *a, const char *b), LIST(const char *, const char *), (a, b), "rename", AT_FDCWD, a, AT_FDCWD, b)
TWO(renameat, (int f, const char *a, int g, const char *b), LIST(int, const char *, int, const char *), (f, a, g, b), "rename", f, a, g, b)
TWO(renameat2, (int f, const char *a, int g, const char *b, unsigned int how), LIST(int, const char *, int, const char *, unsigned int), (f, a, g, b, how), "rename", f, a, g, b)
TWO(link, (const char *a, const char *b), LIST(const char *, const char *), (a, b), "link", AT_FDCWD, b, AT_FDCWD, a)
TWO(linkat, (int f, const char *a, int g, const char *b, int how), LIST(int, const char *, int, const char *, int), (f, a, g, b, how), "link", g, b, f, a)
TWO(symlink, (const char *a, const char *b), LIST(const char *, const char *), (a, b), "link", AT_FDCWD, b, AT_FDCWD, b)

/* An open that makes or empties a file is a change; any other is not. */
static int opened(int folder, const char *path, int flags) {
    if (!shared || !(flags & (O_CREAT | O_TRUNC))) return 0;
    struct stat64 there;
    int kept = errno;
    int exists = fstatat64(folder, path, &there, 0) == 0;
    errno = kept;
    if (exists && !(flags & O_TRUNC)) return 0;
    return change(exists ? "empty" : "create", exists ? 0 : 1, folder, path, 0, NULL);
}

#define OPEN(name, signature, types, folder, call) \
    int name signature { \
        REAL(#name, int, types); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list more; \
            va_start(more, flags); \
            mode = va_arg(more, mode_t); \
            va_end(more); \
        } \
        int error = opened(folder, path, flags); \
        if (error > 0) { errno = error; return -1; } \
        int result = real call; \
        if (shared && flags & (O_CREAT | O_TRUNC)) after(); \
        return result; \
    }
OPEN(open, (const char *path, int flags, ...), LIST(const char *, int, ...), AT_FDCWD, (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), LIST(const char *, int, ...), AT_FDCWD, (path, flags, mode))
OPEN(openat, (int folder, const char *path, int flags, ...), LIST(int, const char *, int, ...), folder, (folder, path, flags, mode))
OPEN(openat64, (int folder, const char *path, int flags, ...), LIST(int, const char *, int, ...), folder, (folder, path, flags, mode))

#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) { \
        REAL(#name, FILE *, const char *, const char *); \
        int flags = *mode == 'w' ? O_CREAT | O_TRUNC : *mode == 'a' ? O_CREAT : 0; \
        int error = opened(AT_FDCWD, path, flags); \
        if (error > 0) { errno = error; return NULL; } \
        FILE *result = real(path, mode); \
        if (flags) after(); \
        return result; \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* A write that is torn is done by half; the next one then fails, or the process is dead. */
#define WRITE(name, signature, types, file, whole, half) \
    ssize_t name signature { \
        REAL(#name, ssize_t, types); \
        int error = change("write", 1, file, NULL, 0, NULL); \
        if (error > 0) { errno = error; return -1; } \
        if (error < 0) { \
            ssize_t done = 0; \
            if (size > 1) done = real half; \
            if (act == TORN) die(); \
            if (size > 1) return done; \
            errno = ENOSPC; \
            return -1; \
        } \
        ssize_t result = real whole; \
        after(); \
        return result; \
    }
WRITE(write, (int file, const void *from, size_t size), LIST(int, const void *, size_t), file, (file, from, size), (file, from, size / 2))
WRITE(pwrite, (int file, const void *from, size_t size, off_t at), LIST(int, const void *, size_t, off_t), file, (file, from, size, at), (file, from, size / 2, at))
WRITE(pwrite64, (int file, const void *from, size_t size, off_t at), LIST(int, const void *, size_t, off_t), file, (file, from, size, at), (file, from, size / 2, at))
WRITE(sendfile, (int file, int from, off_t *at, size_t size), LIST(int, int, off_t *, size_t), file, (file, from, at, size), (file, from, at, size / 2))
WRITE(sendfile64, (int file, int from, off_t *at, size_t size), LIST(int, int, off_t *, size_t), file, (file, from, at, size), (file, from, at, size / 2))
WRITE(copy_file_range, (int from, off_t *at, int file, off_t *to, size_t size, unsigned int how), LIST(int, off_t *, int, off_t *, size_t, unsigned int), file, (from, at, file, to, size, how), (from, at, file, to, size / 2, how))

#define WRITEV(name, signature, types, whole) \
    ssize_t name signature { \
        REAL(#name, ssize_t, types); \
        int error = change("write", 1, file, NULL, 0, NULL); \
        if (error) { \
            if (act == TORN) die(); \
            errno = ENOSPC; \
            return -1; \
        } \
        ssize_t result = real whole; \
        after(); \
        return result; \
    }
WRITEV(writev, (int file, const struct iovec *parts, int count), LIST(int, const struct iovec *, int), (file, parts, count))
WRITEV(pwritev, (int file, const struct iovec *parts, int count, off_t at), LIST(int, const struct iovec *, int, off_t), (file, parts, count, at))

size_t fwrite(const void *from, size_t size, size_t count, FILE *stream) {
    REAL("fwrite", size_t, const void *, size_t, size_t, FILE *);
    int file = shared ? fileno(stream) : -1;
    int error = file < 0 ? 0 : change("write", 1, file, NULL, 0, NULL);
    if (error) {
        if (act == TORN) {
            real(from, size, count / 2, stream);
            fflush(stream);
            die();
        }
        errno = ENOSPC;
        return 0;
    }
    size_t result = real(from, size, count, stream);
    if (file >= 0) after();
    return result;
}
