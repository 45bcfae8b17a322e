/*
 * Count the executed instructions that match opcode patterns: a TCG plugin of qemu (plugin API 2 and later).
 *
 *   -plugin libopcodes.so,row=NAME:MASK:PATTERN,row=... -d plugin
 *
 * An instruction belongs to the first row whose pattern it equals under the row's mask; both are hexadecimal, of the
 * 32-bit little-endian instruction. At exit each row prints "opcodes NAME COUNT", in the order given. The counters
 * are inline, one a vCPU, so threads are counted exactly.
 *
 * Source: https://www.qemu.org/docs/master/devel/tcg-plugins.html
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qemu-plugin.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define MAX_ROWS 128

typedef struct {
    char name[32];
    uint32_t mask;
    uint32_t pattern;
    qemu_plugin_u64 count;
} Row;

static Row rows[MAX_ROWS];
static int row_count;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint8_t data[4] = { 0 };
        if (qemu_plugin_insn_data(insn, data, sizeof data) != sizeof data) {
            continue;
        }
        uint32_t opcode = data[0] | data[1] << 8 | data[2] << 16 | (uint32_t)data[3] << 24;
        for (int r = 0; r < row_count; r++) {
            if ((opcode & rows[r].mask) == rows[r].pattern) {
                qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
                    insn, QEMU_PLUGIN_INLINE_ADD_U64, rows[r].count, 1);
                break;
            }
        }
    }
}

static void at_exit(qemu_plugin_id_t id, void *unused)
{
    (void)id;
    (void)unused;
    for (int r = 0; r < row_count; r++) {
        char line[96];
        snprintf(line, sizeof line, "opcodes %.31s %" PRIu64 "\n", rows[r].name, qemu_plugin_u64_sum(rows[r].count));
        qemu_plugin_outs(line);
    }
}

static int add_row(const char *text)
{
    Row *row = &rows[row_count];
    int used = 0;
    if (row_count == MAX_ROWS ||
        sscanf(text, "row=%31[^:]:%" SCNx32 ":%" SCNx32 "%n", row->name, &row->mask, &row->pattern, &used) != 3 ||
        text[used] != '\0') {
        fprintf(stderr, "opcodes: expected row=NAME:MASK:PATTERN, at most %d, got %s\n", MAX_ROWS, text);
        return -1;
    }
    row->count = qemu_plugin_scoreboard_u64(qemu_plugin_scoreboard_new(sizeof(uint64_t)));
    row_count++;
    return 0;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    if (strcmp(info->target_name, "aarch64") != 0) {
        fprintf(stderr, "opcodes: expected a qemu for aarch64, got %s\n", info->target_name);
        return -1;
    }
    for (int i = 0; i < argc; i++) {
        if (add_row(argv[i]) != 0) {
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
