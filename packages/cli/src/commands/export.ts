import { isAbsolute } from "node:path";
import { exportPretrained, type OnnxDtype, type OnnxExportSummary } from "@heddle/tasks";
import { fileSize } from "../screen/format.ts";
import { loadingProgress } from "../screen/loading-progress.ts";
import { columns } from "../screen/table.ts";
import type { Session } from "../session/session.ts";
import { OutputFolder } from "./output-folder.ts";

export interface ExportOptions {
  readonly model: string;
  readonly format: "onnx";
  readonly output: string;
  readonly dtype: readonly OnnxDtype[];
  readonly overwrite?: boolean;
}

/** `heddle export`: a model folder in, a folder for other runtimes out. */
export async function exportModel(options: ExportOptions, session: Session): Promise<void> {
  const { signal, status } = session;
  const folder = await OutputFolder.open(options.output);
  try {
    await folder.requireEmpty(options);
    session.log(session.terminal.err.colors.dim(`• exporting ${options.model} to ${options.format} …`));
    const summary = await exportPretrained(options.model, options.output, {
      dtypes: options.dtype,
      lock: folder.lock,
      ...session.revision,
      signal,
      log: (line) => session.log(line),
      onLoadProgress: loadingProgress(session),
      onProgress: ({ file, writtenFiles, totalFiles }) => {
        session.event({ type: "export", file, writtenFiles, totalFiles });
        status.update(`writing ${file} (${writtenFiles + 1} of ${totalFiles}) …`);
      },
    });
    const load = loadingCode(summary, options);
    const { model, format, output, dtype: dtypes } = options;
    session.result({ model, output, format, dtypes, ...summary, load }, () => render(summary, load, session));
  } finally {
    status.clear();
    await folder.close();
  }
}

/** What to write in JavaScript. */
function loadingCode({ task }: OnnxExportSummary, { output, dtype: [dtype] }: ExportOptions): string[] {
  // transformers.js takes "a/b" for a name on the Hugging Face Hub.
  const path = isAbsolute(output) || /^\.{1,2}[/\\]/.test(output) ? output : `./${output}`;
  return ['import { pipeline } from "@huggingface/transformers";', `const run = await pipeline(${JSON.stringify(task)}, ${JSON.stringify(path)}, { dtype: ${JSON.stringify(dtype)} });`];
}

function render({ files, pooling }: OnnxExportSummary, load: readonly string[], { terminal: { out } }: Session): string {
  const calls = pooling ? [`const vectors = await run(texts, { pooling: ${JSON.stringify(pooling.pooling)}, normalize: ${pooling.normalize} });`] : [];
  return `
${columns(files.map(({ name, sizeBytes }) => [name, fileSize(sizeBytes)]))}
${out.colors.dim("transformers.js loads it (npm install @huggingface/transformers):")}
${[...load, ...calls].map((line) => `  ${line}\n`).join("")}`;
}
