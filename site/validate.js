/** Validates OpenAPI documents against the JSON Schema of OpenAPI 3.1: `node validate.js FILE...`. */
import { Validator } from "@seriousme/openapi-schema-validator"

for (const file of process.argv.slice(2)) {
  const { errors, valid } = await new Validator().validate(file)
  if (valid) continue
  console.error(`${file} is not a valid OpenAPI document:`, JSON.stringify(errors, null, 2))
  process.exitCode = 1
}
