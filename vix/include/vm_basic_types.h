/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm_basic_types.h - the scalar types that programs written for VIX use.
 *
 * Compiles alone as C89, C11, C++98 and C++17. Brings in no other header.
 */
#ifndef VM_BASIC_TYPES_H
#define VM_BASIC_TYPES_H

#ifndef FALSE
#define FALSE 0
#endif
#ifndef TRUE
#define TRUE 1
#endif

/* One byte, unlike the Bool of X11; whoever comes first defines it. */
#ifndef _XTYPEDEF_BOOL
#define _XTYPEDEF_BOOL
typedef char Bool;
#endif

/* Is it one of the two values that a Bool has? */
#ifndef IsBool
#define IsBool(x) (((x) & ~1) == 0)
#endif

typedef signed char int8;
typedef unsigned char uint8;
typedef short int16;
typedef unsigned short uint16;
typedef int int32;
typedef unsigned int uint32;

/* FMT64 goes between % and the conversion: printf ("%" FMT64 "d", x). */
#if defined(__LP64__)
typedef long int64;
typedef unsigned long uint64;
#define FMT64 "l"
#elif defined(__GNUC__)
/* C89 and C++98 have no long long, not even under __extension__. */
typedef int int64 __attribute__ ((__mode__ (__DI__)));
typedef unsigned int uint64 __attribute__ ((__mode__ (__DI__)));
#define FMT64 "ll"
#else
typedef long long int64;
typedef unsigned long long uint64;
#define FMT64 "ll"
#endif

#endif /* VM_BASIC_TYPES_H */
