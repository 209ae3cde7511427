#include "sqlite_shim.h"

int perigee_sqlite_copy_log_on_close(sqlite3 *db, int is_wanted) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !is_wanted, (int *)0);
}
