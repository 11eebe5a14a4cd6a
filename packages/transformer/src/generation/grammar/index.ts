export { SchemaConstraint, SchemaGrammars } from "./constraint.ts";
export type { JsonSchema, OutputSchema } from "./schema.ts";
