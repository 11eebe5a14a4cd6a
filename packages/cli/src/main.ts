import { heddle } from "./heddle.ts";
import { onInterrupt } from "./session/interrupt.ts";
import { screen } from "./session/terminal.ts";

// `heddle … | head`: nobody reads on, so there is nothing left to do.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const { env, stdin, stdout, stderr } = process;
const { signal, stopListening } = onInterrupt();
process.exitCode = await heddle({ stdin, out: screen(stdout, env), err: screen(stderr, env), env, args: process.argv.slice(2) }, signal);
stopListening();
