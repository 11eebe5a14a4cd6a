import { HeddleError } from "@heddle/kernels";
import { z } from "zod";

/** What a text's JSON must be: a zod schema, or a JSON schema as an object. */
export type OutputSchema<T = unknown> = z.ZodType<T> | JsonSchema;

/** JSON Schema, draft 2020-12 or 7. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A schema for the grammar, and for what came out. */
export interface ReadSchema<T> {
  readonly jsonSchema: JsonSchema;
  /** Throws SCHEMA_NOT_MET. */
  parse(text: string): T;
}

/** Throws SCHEMA_INVALID for what is no JSON schema, or says what no text can. */
export function readSchema<T>(schema: OutputSchema<T>): ReadSchema<T> {
  let zod: z.ZodType;
  let jsonSchema: JsonSchema;
  try {
    const isZod = "_zod" in schema;
    jsonSchema = isZod ? z.toJSONSchema(schema as z.ZodType<T>, { io: "input" }) : (schema as JsonSchema);
    zod = isZod ? (schema as z.ZodType<T>) : z.fromJSONSchema(jsonSchema as Parameters<typeof z.fromJSONSchema>[0]);
  } catch (cause) {
    throw schemaInvalid((cause as Error).message, cause);
  }
  return { jsonSchema, parse: (text) => parseBy(zod, text) as T };
}

export const schemaInvalid = (why: string, cause: unknown): HeddleError => new HeddleError("SCHEMA_INVALID", `[schema] no text can be held to it (${why}): give a zod schema or a JSON schema of objects, lists, strings, numbers, booleans, null, enums and unions`, { cause });

function parseBy(schema: z.ZodType, text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HeddleError("SCHEMA_NOT_MET", `[schema] the text is no JSON: ${JSON.stringify(text.slice(0, 200))}`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 5).map(({ path, message }) => `${path.join(".") || "(whole value)"}: ${message}`);
  throw new HeddleError("SCHEMA_NOT_MET", `[schema] the JSON ${text.slice(0, 200)} breaks a rule that no grammar holds (${problems.join("; ")}): loosen the rule, or ask again with another seed`, { cause: result.error });
}
