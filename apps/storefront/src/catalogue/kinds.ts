import { baking } from "./departments/baking.ts";
import { camping } from "./departments/camping.ts";
import { coffee } from "./departments/coffee.ts";
import { cycling } from "./departments/cycling.ts";
import { desk } from "./departments/desk.ts";
import { garden } from "./departments/garden.ts";
import { hiking } from "./departments/hiking.ts";
import { weaving } from "./departments/weaving.ts";
import type { Department, Kind } from "./product.ts";

export const DEPARTMENTS: readonly Department[] = [camping, hiking, cycling, coffee, baking, garden, weaving, desk];

export const KINDS: ReadonlyMap<string, Kind> = new Map(DEPARTMENTS.flatMap(({ kinds }) => kinds.map((kind) => [kind.id, kind])));

export const departmentOf: ReadonlyMap<string, Department> = new Map(DEPARTMENTS.flatMap((department) => department.kinds.map(({ id }) => [id, department])));
