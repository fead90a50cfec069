/* A stand-in for the CUDA runtime whose "device" is host memory. It knows its own allocations and so tells a copy
   between the wrong sides, a leak and a lack of memory apart. */
#include <stdlib.h>
#include <string.h>

typedef struct { char side; size_t size; } Header;
enum { OK = 0, INVALID = 1, OUT_OF_MEMORY = 2 };
static size_t live, limit = (size_t)1 << 30;
static int streams;

static int allocate(void **address, size_t size, char side) {
    if (live + size > limit) return OUT_OF_MEMORY;
    Header *header = malloc(64 + size);
    header->side = side, header->size = size;
    live += size;
    *address = (char *)header + 64;
    return OK;
}
static Header *header_of(void *address) { return (Header *)((char *)address - 64); }
static int release(void *address, char side) {
    if (header_of(address)->side != side) return INVALID;
    live -= header_of(address)->size;
    free(header_of(address));
    return OK;
}

int cudaGetDeviceCount(int *count) { *count = 1; return OK; }
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 8 : attribute == 76 ? 7 : -1;
    return device;
}
int cudaGetDeviceProperties(char *properties, int device) {
    memset(properties, 1, 1000);
    strcpy(properties, "Orin");
    return device;
}
int cudaMalloc(void **address, size_t size) { return allocate(address, size, 'D'); }
int cudaFree(void *address) { return release(address, 'D'); }
int cudaHostAlloc(void **address, size_t size, unsigned flags) { return flags ? INVALID : allocate(address, size, 'H'); }
int cudaFreeHost(void *address) { return release(address, 'H'); }
int cudaStreamCreate(void **stream) { *stream = &streams; streams++; return OK; }
int cudaStreamSynchronize(void *stream) { return stream == &streams ? OK : INVALID; }
int cudaStreamDestroy(void *stream) { streams--; return stream == &streams ? OK : INVALID; }
int cudaMemcpyAsync(void *to, void *from, size_t size, int kind, void *stream) {
    char to_side = kind == 1 ? 'D' : 'H', from_side = kind == 1 ? 'H' : 'D';
    if (stream != &streams || header_of(to)->side != to_side || header_of(from)->side != from_side) return INVALID;
    if (size > header_of(to)->size || size > header_of(from)->size) return INVALID;
    memcpy(to, from, size);
    return OK;
}
const char *cudaGetErrorString(int status) { return status == OUT_OF_MEMORY ? "out of memory" : "invalid argument"; }

size_t stand_in_live(void) { return live + streams; }
void stand_in_limit(size_t bytes) { limit = bytes; }
