import { defineConfig, type Options } from "tsup";

/**
 * The build shared by every published package; `entry` maps an output name to its source.
 *
 * @param bundled dependencies that go into the build, by the file to take: for those whose own entry no bundler for browsers can read
 */
export function library(entry: Record<string, string>, bundled: Record<string, string> = {}): ReturnType<typeof defineConfig> {
  const options: Options = {
    entry,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    sourcemap: true,
    clean: true,
    treeshake: true,
    splitting: true,
    external: [/^node:/],
    noExternal: Object.keys(bundled),
    esbuildOptions(build) {
      build.alias = bundled;
    },
    // Bundlers for browsers know by the prefix what only Node has.
    removeNodeProtocol: false,
    dts: {
      // A worker written in plain JavaScript has no types to tell.
      entry: Object.fromEntries(Object.entries(entry).filter(([, source]) => source.endsWith(".ts"))),
      compilerOptions: {
        // tsup passes `baseUrl`, which TypeScript 6 reports as deprecated.
        ignoreDeprecations: "6.0",
        // Declarations are built against the other packages' published types, not their sources.
        customConditions: [],
      },
    },
  };
  return defineConfig(options);
}
