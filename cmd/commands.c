/* The registration table: a subcommand exists when its row stands here, in the order that help
 * shows. */
#include "commands.h"

const struct command *const commands[] = {
    &validate_command,  &build_command,    &eval_command,    &simulate_command,   &import_command,
    &run_command,       &edge_command,     &status_command,  &rollouts_command,   &start_command,
    &approve_command,   &advance_command,  &pause_command,   &halt_command,       &resume_command,
    &step_back_command, &rollback_command, &kill_command,    &unkill_command,     &unpin_command,
    &accept_command,    &token_command,    &version_command, &help_command_entry, NULL,
};
