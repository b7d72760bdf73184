/* Writes down, in order, what a process does to files below $WRITE_LOG_FOLDER: the C library's calls that change them.
 *
 * Loaded by LD_PRELOAD, below SQLite, so that a test can make the disk as it might be if power failed at any moment.
 * Each entry in $WRITE_LOG: one line `call path offset length` (path without the folder; a renaming has the new name
 * after a tab), then that many bytes. Calls are logged after they have worked. mmap is not followed: what SQLite maps
 * is the index of its log, which it makes anew.
 *
 * While there is a file FULL_DISK in the folder the disk is full: the first write gets half of its bytes onto it, and
 * those after it get ENOSPC.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t alone = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, #name))

static const char *folder(void) { return getenv("WRITE_LOG_FOLDER"); }

/* The path below the folder, or NULL. */
static const char *below(const char *path) {
    const char *root = folder();
    size_t length = root ? strlen(root) : 0;
    if (!root || strncmp(path, root, length) || path[length] != '/') return NULL;
    return path + length + 1;
}

static const char *below_of(int fd, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    if (folder() && !strcmp(buffer, folder())) return ".";
    return below(buffer);
}

static void tell(const char *call, const char *path, long long offset, const void *bytes, size_t length) {
    static int log = -1;
    int saved = errno;
    pthread_mutex_lock(&alone);
    if (log < 0) log = open(getenv("WRITE_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    char head[PATH_MAX * 2 + 64];
    int size = snprintf(head, sizeof head, "%s %lld %zu %s\n", call, offset, bytes ? length : 0, path);
    struct iovec parts[2] = {{head, size}, {(void *)bytes, bytes ? length : 0}};
    if (writev(log, parts, 2) < 0) abort();
    pthread_mutex_unlock(&alone);
    errno = saved;
}

/* How much of a write the disk still takes; -1 when it is full. */
static ssize_t room(size_t wanted) {
    static int was_full = 0;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/FULL_DISK", folder());
    int is_full = !access(path, F_OK), again = was_full;
    was_full = is_full;
    errno = is_full && again ? ENOSPC : 0;
    return is_full && again ? -1 : is_full ? (ssize_t)(wanted / 2) : (ssize_t)wanted;
}

static ssize_t put(int fd, const void *bytes, size_t length, off_t offset, int at_offset) {
    char buffer[PATH_MAX];
    const char *path = below_of(fd, buffer);
    if (path) {
        ssize_t left = room(length);
        if (left < 0) return -1;
        length = left;
        if (!at_offset) offset = lseek(fd, 0, SEEK_CUR);
        if (!at_offset && fcntl(fd, F_GETFL) & O_APPEND) offset = lseek(fd, 0, SEEK_END);
    }
    ssize_t done = at_offset ? REAL(pwrite64, ssize_t(*)(int, const void *, size_t, off_t))(fd, bytes, length, offset)
                             : REAL(write, ssize_t(*)(int, const void *, size_t))(fd, bytes, length);
    if (path && done > 0) tell("write", path, offset, bytes, done);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) { return put(fd, bytes, length, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return put(fd, bytes, length, offset, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return put(fd, bytes, length, offset, 1); }

static int synced(int fd, int result) {
    char buffer[PATH_MAX];
    const char *path = below_of(fd, buffer);
    if (path && !result) tell("sync", path, 0, NULL, 0);
    return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync, int (*)(int))(fd)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync, int (*)(int))(fd)); }

static int cut(int fd, off_t length, int result) {
    char buffer[PATH_MAX];
    const char *path = below_of(fd, buffer);
    if (path && !result) tell("cut", path, length, NULL, 0);
    return result;
}

int ftruncate(int fd, off_t length) { return cut(fd, length, REAL(ftruncate, int (*)(int, off_t))(fd, length)); }
int ftruncate64(int fd, off_t length) { return cut(fd, length, REAL(ftruncate64, int (*)(int, off_t))(fd, length)); }

static int opened(const char *path, int flags, int existed, int fd) {
    if (fd >= 0 && below(path)) {
        if (flags & O_CREAT && !existed) tell("make", below(path), 0, NULL, 0);
        else if (flags & O_TRUNC) tell("cut", below(path), 0, NULL, 0);
    }
    return fd;
}

#define OPEN(name)                                                                                                    \
    int name(const char *path, int flags, ...) {                                                                      \
        va_list more;                                                                                                 \
        va_start(more, flags);                                                                                        \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;                                             \
        va_end(more);                                                                                                 \
        int existed = access(path, F_OK) == 0;                                                                        \
        return opened(path, flags, existed, REAL(name, int (*)(const char *, int, ...))(path, flags, mode));          \
    }
OPEN(open)
OPEN(open64)

int unlink(const char *path) {
    int result = REAL(unlink, int (*)(const char *))(path);
    if (!result && below(path)) tell("unlink", below(path), 0, NULL, 0);
    return result;
}

int rename(const char *old, const char *new) {
    int result = REAL(rename, int (*)(const char *, const char *))(old, new);
    if (!result && below(old) && below(new)) {
        char both[PATH_MAX * 2];
        snprintf(both, sizeof both, "%s\t%s", below(old), below(new));
        tell("rename", both, 0, NULL, 0);
    }
    return result;
}
