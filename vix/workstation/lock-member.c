/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/lock-member.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_TOKENS 16
#define HARDWARE_BYTES 8
#define MACHINE_BYTES (4 + HARDWARE_BYTES)

void
ws_lock_member_free (WsLockMember *m)
{
  g_free (m->machine);
  g_free (m->process);
  g_free (m);
}
/* ---- who we are ---- */

/* Field 22 of /proc/PID/stat: ticks since boot; 0 if there is no such
 * process. @ret_name (nullable) gets the command. */
static gint64
process_start (gint64 pid, char **ret_name)
{
  char path[64];
  g_autofree char *text = NULL;
  char *open, *close, *s;
  int field;

  snprintf (path, sizeof path, "/proc/%" G_GINT64_FORMAT "/stat", pid);
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  open = strchr (text, '(');
  close = strrchr (text, ')');
  if (open == NULL || close == NULL || close < open)
    return 0;
  if (ret_name != NULL)
    *ret_name = g_strndup (open + 1, (gsize)(close - open - 1));
  /* The text behind the command starts with field 3. */
  for (s = close + 1, field = 2; field < 22 && *s != '\0'; s++)
    field += *s == ' ';
  return g_ascii_strtoll (s, NULL, 10);
}

static guint32
djb2 (const char *s)
{
  guint32 hash = 5381;

  for (; *s != '\0'; s++)
    hash = hash * 33 + (guint8)*s;
  return hash;
}

/* The MAC of the first of eth0 to eth7, two zero bytes behind it; zero if no
 * interface has such a name. */
static void
read_hardware (guint8 hardware[HARDWARE_BYTES])
{
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int i;

  memset (hardware, 0, HARDWARE_BYTES);
  for (i = 0; fd >= 0 && i < 8; i++) {
    struct ifreq request = { 0 };

    snprintf (request.ifr_name, sizeof request.ifr_name, "eth%d", i);
    if (ioctl (fd, SIOCGIFHWADDR, &request) == 0) {
      memcpy (hardware, request.ifr_hwaddr.sa_data, 6);
      break;
    }
  }
  if (fd >= 0)
    close (fd);
}

static void
own_machine (guint8 machine[MACHINE_BYTES])
{
  guint32 hash = GUINT32_TO_LE (djb2 (g_get_host_name ()));

  memcpy (machine, &hash, sizeof hash);
  read_hardware (machine + sizeof hash);
}

static char *
encode_machine (const guint8 machine[MACHINE_BYTES])
{
  char *text = g_base64_encode (machine, MACHINE_BYTES);

  return g_strdelimit (text, "/", '-');
}

/*
 * Only the hardware bytes count, as VMware has it. Where both have none two
 * hosts cannot be told apart by them; then the host name's hash must agree
 * too, which for a lock of VMware's (another hash) means: not decidable.
 */
static gboolean
is_own_machine (const char *text)
{
  g_autofree char *base64 = g_strdelimit (g_strdup (text), "-", '/');
  g_autofree guint8 *theirs = NULL;
  static const guint8 none[HARDWARE_BYTES] = { 0 };
  guint8 own[MACHINE_BYTES];
  gsize len = 0;

  if (g_str_has_prefix (text, "uuid="))
    return FALSE;
  theirs = g_base64_decode (base64, &len);
  if (len != MACHINE_BYTES)
    return FALSE;
  own_machine (own);
  if (memcmp (own + 4, none, HARDWARE_BYTES) == 0)
    return memcmp (own, theirs, MACHINE_BYTES) == 0;
  return memcmp (own + 4, theirs + 4, HARDWARE_BYTES) == 0;
}

/* ---- member files ---- */

/* "<pid>-<start>(<name>)", or the pid alone. */
static gboolean
parse_execution (const char *text, WsLockMember *m)
{
  char *end;

  m->pid = g_ascii_strtoll (text, &end, 10);
  if (end == text || m->pid <= 0 || m->pid > G_MAXINT)
    return FALSE;
  if (*end == '-') {
    const char *start = end + 1;

    m->start = g_ascii_strtoll (start, &end, 10);
    if (end == start || m->start < 0)
      return FALSE;
  }
  if (*end == '(') {
    const char *close = strrchr (end, ')');

    if (close == NULL || close[1] != '\0')
      return FALSE;
    m->process = g_strndup (end + 1, (gsize)(close - end - 1));
    end += strlen (end);
  }
  return *end == '\0';
}

static gboolean
parse_member (const char *text, WsLockMember *m)
{
  g_auto (GStrv) tokens = g_strsplit (text, " ", MAX_TOKENS + 1);
  guint n = g_strv_length (tokens), i;
  char *end;

  if (n < 5 || n > MAX_TOKENS || !parse_execution (tokens[1], m))
    return FALSE;
  m->ticket = g_ascii_strtoull (tokens[2], &end, 10);
  if (end == tokens[2] || *end != '\0')
    return FALSE;
  if (strcmp (tokens[3], "S") != 0 && strcmp (tokens[3], "X") != 0)
    return FALSE;
  for (i = 5; i < n; i++) {
    if (strchr (tokens[i], '=') == NULL)
      return FALSE;
    m->ours = m->ours || strcmp (tokens[i], "vixfs=1") == 0;
  }
  m->machine = g_strdup (tokens[0]);
  return TRUE;
}

static gboolean
has_ended (const WsLockMember *m)
{
  gint64 start;

  if (kill ((pid_t)m->pid, 0) != 0 && errno == ESRCH)
    return TRUE;
  start = process_start (m->pid, NULL);
  return start != 0 && m->start != 0 && start != m->start;
}

WsLockMember *
ws_lock_member_read (int lck_fd, const char *name)
{
  g_autoptr (WsLockMember) m = g_new0 (WsLockMember, 1);
  char text[WS_LOCK_MEMBER_BYTES + 1];
  gssize got;
  int fd;

  g_strlcpy (m->name, name, sizeof m->name);
  fd = openat (lck_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT ? NULL : g_steal_pointer (&m);
  got = TEMP_FAILURE_RETRY (read (fd, text, sizeof text));
  close (fd);
  if (got != WS_LOCK_MEMBER_BYTES)
    return g_steal_pointer (&m);
  text[WS_LOCK_MEMBER_BYTES] = '\0';
  m->readable = parse_member (text, m);
  if (m->readable) {
    m->here = is_own_machine (m->machine);
    m->dead = m->here && has_ended (m);
  }
  return g_steal_pointer (&m);
}

void
ws_lock_member_format (guint64 ticket, const char *dir_path, const char *lck,
                       char text[WS_LOCK_MEMBER_BYTES])
{
  guint8 machine[MACHINE_BYTES];
  g_autofree char *machine_text = NULL;
  g_autofree char *path = g_build_filename (dir_path, lck, NULL);
  g_autofree char *process = NULL;
  gint64 start = process_start (getpid (), &process);

  own_machine (machine);
  machine_text = encode_machine (machine);
  if (process != NULL)
    g_strdelimit (process, " \t\n()", '_');
  memset (text, 0, WS_LOCK_MEMBER_BYTES);
  snprintf (text, WS_LOCK_MEMBER_BYTES,
            "%s %d-%" G_GINT64_FORMAT "(%.40s) %" G_GUINT64_FORMAT
            " X %" G_GINT64_FORMAT " lc=%" G_GUINT32_FORMAT " vixfs=1",
            machine_text, (int)getpid (), start,
            process != NULL ? process : "vixfs", ticket, start, djb2 (path));
}
