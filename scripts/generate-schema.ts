/** Writes `inventory/schema.json` from the zod schema. Run: node scripts/generate-schema.ts */
import { writeFileSync } from "node:fs";
import { inventoryJsonSchema } from "../src/inventory/schema.ts";

const file = new URL("../inventory/schema.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(inventoryJsonSchema(), null, 2)}\n`);
