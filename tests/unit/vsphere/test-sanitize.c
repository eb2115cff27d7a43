/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/sanitize.h"

#include <string.h>

#define FFFD "\357\277\275"

/* The clean form of @in, fed in pieces of @piece bytes. */
static char *
clean (const char *in, gsize len, gsize piece)
{
  SoapSanitizer sanitizer = { .n_held = 0 };
  GString *out = g_string_new (NULL);
  gsize pos;

  for (pos = 0; pos < len; pos += piece)
    soap_sanitize_feed (&sanitizer, in + pos, MIN (piece, len - pos), out);
  soap_sanitize_finish (&sanitizer, out);
  return g_string_free (out, FALSE);
}

static const struct {
  const char *in;
  const char *out;
} cases[] = {
  { "<a>plain &amp; text\t\r\n</a>", "<a>plain &amp; text\t\r\n</a>" },
  { "\303\244\342\202\254\360\237\230\200",
    "\303\244\342\202\254\360\237\230\200" },
  { "a\001b\037c", "a" FFFD "b" FFFD "c" },
  { "\177", "\177" },
  { "a\377\376b", "a" FFFD FFFD "b" },
  { "\303(", FFFD "(" },
  { "\355\240\200", FFFD FFFD FFFD }, /* a surrogate */
  { "\357\277\277", FFFD },           /* U+FFFF */
  { "\300\200", FFFD FFFD },          /* overlong NUL */
  { "&#1;&#x1F;&#0;", FFFD FFFD FFFD },
  { "&#9;&#10;&#13;&#65;&#x41;&#x10FFFF;",
    "&#9;&#10;&#13;&#65;&#x41;&#x10FFFF;" },
  { "&#x110000;&#99999999999999;", FFFD FFFD },
  { "&#xD800;", FFFD },
  { "&lt;&unknown;&#;&#x;&#12a;&&#7;",
    "&lt;&unknown;" FFFD FFFD "&#12a;&" FFFD },
  { "&#", "&#" },
  { "end\342\202", "end" FFFD FFFD },
  { "&#0000000000000000000000000000000000000001;",
    "&#0000000000000000000000000000000000000001;" },
};

static void
test_pieces (void)
{
  gsize i, piece;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    for (piece = 1; piece <= 64; piece++) {
      g_autofree char *out = clean (cases[i].in, strlen (cases[i].in), piece);

      g_assert_cmpstr (out, ==, cases[i].out);
    }
}

static void
test_nul_is_replaced (void)
{
  g_autofree char *out = clean ("a\0b", 3, 3);

  g_assert_cmpstr (out, ==, "a" FFFD "b");
}

/* Whatever comes in, UTF-8 without forbidden characters comes out, the same
 * for any way of cutting it. */
static void
test_random_bytes (void)
{
  static const char alphabet[]
    = "&#x;0189aAfF<>\001\010\177\303\244\342\202\360\237\377 ";
  GRand *rand = g_rand_new_with_seed (42);
  char in[80];
  int round;
  gsize i;

  for (round = 0; round < 5000; round++) {
    g_autofree char *whole = NULL;
    g_autofree char *cut = NULL;
    const char *p;

    for (i = 0; i < sizeof in; i++)
      in[i] = alphabet[g_rand_int_range (rand, 0, sizeof alphabet)];
    whole = clean (in, sizeof in, sizeof in);
    cut = clean (in, sizeof in, (gsize)g_rand_int_range (rand, 1, 9));
    g_assert_cmpstr (whole, ==, cut);
    g_assert_true (g_utf8_validate (whole, -1, NULL));
    for (p = whole; *p != '\0'; p++)
      g_assert_true ((guint8)*p >= 0x20);
  }
  g_rand_free (rand);
}

/* Plain text is taken in strides: each byte at each place of one. */
static void
test_strides (void)
{
  for (guint c = 0; c < 256; c++) {
    for (gsize at = 0; at < 17; at++) {
      char in[] = "aaaaaaaaaaaaaaaaaa";
      g_autofree char *whole = NULL;
      g_autofree char *single = NULL;

      in[at] = (char)c;
      whole = clean (in, 18, 18);
      single = clean (in, 18, 1);
      g_assert_cmpstr (whole, ==, single);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/soap/sanitize/same-for-any-pieces", test_pieces);
  g_test_add_func ("/soap/sanitize/nul-is-replaced", test_nul_is_replaced);
  g_test_add_func ("/soap/sanitize/random-bytes-become-text",
                   test_random_bytes);
  g_test_add_func ("/soap/sanitize/strides", test_strides);
  return g_test_run ();
}
