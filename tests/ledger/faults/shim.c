/* Faults in the calls by which a process writes files, for the tests: LD_PRELOAD=shim.so FAULT_FOLDER=/folder ...
 *
 * Only calls on paths under FAULT_FOLDER count. `fault_arm` (called by the process itself through ctypes) sets one
 * fault: the `first`-th coming call of the class, and `times - 1` after it, answer with `action`. With `fault_log` every
 * counted call that succeeded is written to a file, with its data, so that a test can replay what a disk would hold
 * had the power gone at any moment.
 *
 * One record of the log: u8 kind, u64 inode, u64 offset, u32 length of data, u32 length of path, data, path; native
 * byte order. Only for tests: one lock around everything, paths of at most 4,095 bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { ANY, WRITE, SYNC, TRUNCATE, OPEN, NAME };            /* classes of calls */
enum { NONE, FAIL, SHORT, KILL_BEFORE, KILL_AFTER };        /* actions */
enum { R_WRITE = 'W', R_SYNC = 'S', R_TRUNCATE = 'T', R_CREATE = 'C', R_RENAME = 'R', R_LINK = 'L', R_UNLINK = 'U',
       R_FOLDER = 'D', R_MARK = 'M', R_LOST = 'X' };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int armed_class = -1, armed_action, armed_errno, log_fd = -1;
static long armed_first, armed_times, armed_bytes, counted, fired;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* first counts from 1; times 0 means for ever. `bytes` is how much of a write a SHORT one lets through. */
void fault_arm(int class, long first, long times, int action, int number, long bytes) {
    pthread_mutex_lock(&lock);
    armed_class = class; armed_first = first; armed_times = times; armed_action = action; armed_errno = number;
    armed_bytes = bytes; counted = 0; fired = 0;
    pthread_mutex_unlock(&lock);
}

void fault_disarm(void) { armed_class = -1; }
long fault_fired(void) { return fired; }
long fault_counted(void) { return counted; }

int fault_log(const char *path) {
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return log_fd < 0 ? errno : 0;
}

static int under(const char *path) {
    const char *folder = getenv("FAULT_FOLDER");
    size_t size = folder ? strlen(folder) : 0;
    return size && path && !strncmp(path, folder, size) && (path[size] == '/' || !path[size]);
}

/* A path as the kernel sees it, when a call gave it relative to the working folder or to a descriptor. */
static const char *whole(int at, const char *path, char *out) {
    char base[PATH_MAX] = "", link[64];
    if (!path || path[0] == '/') return path;
    if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t size = readlink(link, base, sizeof base - 1);
    if (size < 0) return NULL;
    base[size] = 0;
    if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
    return out;
}

static const char *name_of(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, out, PATH_MAX - 1);
    if (size < 0) return NULL;
    out[size] = 0;
    return under(out) ? out : NULL;
}

static uint64_t inode_of(int fd, const char *path) {
    struct stat st;
    if (fd >= 0 ? fstat(fd, &st) : lstat(path, &st)) return 0;
    return st.st_ino;
}

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size) {
        ssize_t done = syscall(SYS_write, log_fd, at, size);
        if (done <= 0) abort();
        at += done; size -= (size_t)done;
    }
}

static void record(char kind, uint64_t inode, uint64_t offset, const void *data, size_t size, const char *path) {
    if (log_fd < 0) return;
    int saved = errno;
    unsigned char head[25];
    uint32_t length = (uint32_t)size, named = (uint32_t)(path ? strlen(path) : 0);
    head[0] = (unsigned char)kind;
    memcpy(head + 1, &inode, 8); memcpy(head + 9, &offset, 8); memcpy(head + 17, &length, 4);
    memcpy(head + 21, &named, 4);
    put(head, sizeof head); put(data, size); put(path, named);
    errno = saved;
}

/* A note of the process in the log, at its place among the calls: what it acknowledged. */
void fault_mark(const char *text) {
    pthread_mutex_lock(&lock);
    record(R_MARK, 0, 0, text, strlen(text), NULL);
    pthread_mutex_unlock(&lock);
}

/* What becomes of this call: NONE, or the armed action. Kills at once when that is the action. */
static int turn(int class) {
    if (armed_class < 0 || (armed_class != ANY && armed_class != class)) return NONE;
    counted++;
    if (counted < armed_first || (armed_times && counted >= armed_first + armed_times)) return NONE;
    fired++;
    if (armed_action == KILL_BEFORE) kill(getpid(), SIGKILL);
    errno = armed_errno;
    return armed_action;
}

static void after(int action) {
    if (action == KILL_AFTER) kill(getpid(), SIGKILL);
}

/* The numbered parts of every wrapper: lock, turn, the real call, record, kill after, unlock. */
#define BEGIN(class) \
    pthread_mutex_lock(&lock); \
    int action = turn(class); \
    if (action == FAIL) { pthread_mutex_unlock(&lock); return -1; }
#define END(result) \
    { int saved_errno = errno; after(action); pthread_mutex_unlock(&lock); errno = saved_errno; return result; }

static size_t cut(int action, size_t size) {
    return action == SHORT && (size_t)armed_bytes < size ? (size_t)armed_bytes : size;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    char path[PATH_MAX];
    if (fd == log_fd || !name_of(fd, path)) return real(fd, data, size);
    BEGIN(WRITE)
    off_t offset = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, data, cut(action, size));
    if (done > 0) record(R_WRITE, inode_of(fd, NULL), (uint64_t)offset, data, (size_t)done, path);
    END(done)
}

static ssize_t write_at(ssize_t (*real)(int, const void *, size_t, off64_t), int fd, const void *data, size_t size,
                        off64_t offset) {
    char path[PATH_MAX];
    if (!name_of(fd, path)) return real(fd, data, size, offset);
    BEGIN(WRITE)
    ssize_t done = real(fd, data, cut(action, size), offset);
    if (done > 0) record(R_WRITE, inode_of(fd, NULL), (uint64_t)offset, data, (size_t)done, path);
    END(done)
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return write_at(real, fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return write_at(real, fd, data, size, offset);
}

static int sync_with(int (*real)(int), int fd) {
    char path[PATH_MAX];
    if (!name_of(fd, path)) return real(fd);
    pthread_mutex_lock(&lock);
    int action = turn(SYNC);
    if (action == FAIL) {
        record(R_LOST, inode_of(fd, NULL), 0, NULL, 0, path);
        pthread_mutex_unlock(&lock);
        return -1;
    }
    int result = real(fd);
    if (!result) record(R_SYNC, inode_of(fd, NULL), 0, NULL, 0, path);
    END(result)
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return sync_with(real, fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return sync_with(real, fd);
}

static int truncate_with(int (*real)(int, off64_t), int fd, off64_t size) {
    char path[PATH_MAX];
    if (!name_of(fd, path)) return real(fd, size);
    BEGIN(TRUNCATE)
    int result = real(fd, size);
    if (!result) record(R_TRUNCATE, inode_of(fd, NULL), (uint64_t)size, NULL, 0, path);
    END(result)
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    return truncate_with(real, fd, size);
}

int ftruncate(int fd, off_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    return truncate_with(real, fd, size);
}

static int open_with(int at, const char *given, int flags, mode_t mode) {
    REAL(int, "openat64", int, const char *, int, ...);
    char room[PATH_MAX];
    const char *path = whole(at, given, room);
    if (!under(path) || !(flags & (O_WRONLY | O_RDWR | O_CREAT))) return real(at, given, flags, mode);
    BEGIN(OPEN)
    int created = flags & O_CREAT && !inode_of(-1, path);
    int fd = real(at, given, flags, mode);
    if (fd >= 0 && created) record(R_CREATE, inode_of(fd, NULL), 0, NULL, 0, path);
    if (fd >= 0 && !created && flags & O_TRUNC) record(R_TRUNCATE, inode_of(fd, NULL), 0, NULL, 0, path);
    END(fd)
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags) return open_with(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_with(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_with(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_with(at, path, flags, mode); }

static int name_with(char kind, int from_at, const char *from, int to_at, const char *to) {
    char room[PATH_MAX], other[PATH_MAX];
    const char *source = from ? whole(from_at, from, room) : NULL, *target = whole(to_at, to, other);
    int counts = under(target);
    int action = NONE;
    if (counts) {
        pthread_mutex_lock(&lock);
        action = turn(NAME);
        if (action == FAIL) { pthread_mutex_unlock(&lock); return -1; }
    }
    uint64_t inode = counts ? inode_of(-1, source ? source : target) : 0;
    long result = kind == R_RENAME ? syscall(SYS_renameat, from_at, from, to_at, to)
                : kind == R_LINK   ? syscall(SYS_linkat, from_at, from, to_at, to, 0)
                : kind == R_FOLDER ? syscall(SYS_mkdirat, to_at, to, 0700)
                                   : syscall(SYS_unlinkat, to_at, to, 0);
    if (!counts) return (int)result;
    if (!result) {
        if (kind == R_FOLDER) inode = inode_of(-1, target);
        record(kind, inode, 0, source, source ? strlen(source) : 0, target);
    }
    END((int)result)
}

int rename(const char *from, const char *to) { return name_with(R_RENAME, AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int a, const char *from, int b, const char *to) { return name_with(R_RENAME, a, from, b, to); }
int link(const char *from, const char *to) { return name_with(R_LINK, AT_FDCWD, from, AT_FDCWD, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    (void)flags;
    return name_with(R_LINK, a, from, b, to);
}
int unlink(const char *path) { return name_with(R_UNLINK, AT_FDCWD, NULL, AT_FDCWD, path); }
int unlinkat(int at, const char *path, int flags) {
    if (flags) return (int)syscall(SYS_unlinkat, at, path, flags);
    return name_with(R_UNLINK, AT_FDCWD, NULL, at, path);
}
int mkdir(const char *path, mode_t mode) {
    (void)mode; /* every folder of a ledger is 0700 */
    return name_with(R_FOLDER, AT_FDCWD, NULL, AT_FDCWD, path);
}
int mkdirat(int at, const char *path, mode_t mode) {
    (void)mode;
    return name_with(R_FOLDER, AT_FDCWD, NULL, at, path);
}
