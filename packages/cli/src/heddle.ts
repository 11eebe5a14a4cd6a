import { CommanderError, type Command } from "commander";
import { heddleProgram } from "./commands/program.ts";
import { EXIT, failureOf } from "./session/failure.ts";
import { Session } from "./session/session.ts";
import type { Terminal } from "./session/terminal.ts";
import manifest from "../package.json" with { type: "json" };

/** Runs `heddle` with the terminal's arguments. Never throws: what went wrong is on standard error, and in the exit code. */
export async function heddle(terminal: Terminal, signal: AbortSignal): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = heddleProgram(manifest.version, async (options, body) => {
    const session = new Session(terminal, options, signal);
    try {
      await body(session);
    } catch (error) {
      exitCode = reportFailure(session, error);
    }
  });
  const configure = (command: Command): void => {
    command.exitOverride().configureOutput({
      writeOut: (text) => terminal.out.write(text),
      writeErr: (text) => terminal.err.write(text),
      getOutHelpWidth: () => terminal.out.columns(),
      getErrHelpWidth: () => terminal.err.columns(),
      getOutHasColors: () => terminal.out.colors.isColorSupported,
      getErrHasColors: () => terminal.err.colors.isColorSupported,
    });
    command.commands.forEach(configure);
  };
  configure(program);
  try {
    await program.parseAsync(terminal.args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    if (terminal.args.includes("--json")) terminal.out.write(`${JSON.stringify({ type: "error", code: "USAGE", message: error.message })}\n`);
    return EXIT.usage;
  }
  return exitCode;
}

function reportFailure(session: Session, error: unknown): number {
  const { code, message, exitCode } = failureOf(error, session.signal);
  const { colors } = session.terminal.err;
  const label = exitCode === EXIT.interrupted ? colors.yellow("heddle:") : colors.red("error");
  session.status.clear();
  session.log(`${label} ${message}${exitCode === EXIT.interrupted ? "" : ` ${colors.dim(`(${code})`)}`}`);
  if (session.options.verbose) for (const stack of stacks(error)) session.log(colors.dim(stack));
  session.event({ type: exitCode === EXIT.interrupted ? "interrupted" : "error", code, message });
  return exitCode;
}

/** Of an error and its causes. */
function stacks(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return [error.stack ?? error.message, ...stacks(error.cause).map((stack) => `caused by ${stack}`)];
}
