// What Swift can't call of SQLite: functions with any number of arguments.
#ifndef PERIGEE_SQLITE_SHIM_H
#define PERIGEE_SQLITE_SHIM_H

#include <sqlite3.h>

/// Whether the last connection, when it is closed, copies the write-ahead log into the file and removes it; the
/// result is a code of SQLite.
int perigee_sqlite_copy_log_on_close(sqlite3 *db, int is_wanted);

#endif
