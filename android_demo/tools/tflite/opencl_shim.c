/* OpenCL of Debian (pocl, on the processor) as TensorFlow Lite's GPU delegate looks for it; for tests only.
 *
 * The delegate asks for GPUs alone, and takes another way to images by the vendor's name, which pocl gives as the
 * processor's. All other functions are those of libOpenCL.so.1, which this library is linked to.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

enum { DEVICE_TYPE_GPU = 4, DEVICE_NAME = 0x102B, DEVICE_VENDOR = 0x102C };
#define DEVICE_TYPE_ALL 0xFFFFFFFFul

typedef int (*GetDevices)(void *platform, unsigned long type, unsigned room, void **devices, unsigned *count);
typedef int (*GetInfo)(void *device, unsigned what, size_t room, void *value, size_t *size);

int clGetDeviceIDs(void *platform, unsigned long type, unsigned room, void **devices, unsigned *count) {
    GetDevices next = (GetDevices)dlsym(RTLD_NEXT, "clGetDeviceIDs");
    return next(platform, type == DEVICE_TYPE_GPU ? DEVICE_TYPE_ALL : type, room, devices, count);
}

int clGetDeviceInfo(void *device, unsigned what, size_t room, void *value, size_t *size) {
    GetInfo next = (GetInfo)dlsym(RTLD_NEXT, "clGetDeviceInfo");
    int error = next(device, what, room, value, size);
    if (error == 0 && value != NULL && (what == DEVICE_NAME || what == DEVICE_VENDOR)) memset(value, 'x', strlen(value));
    return error;
}
