/** The findings that `nsq doctor --json` prints. */
import { Schema } from "effect"
import type { Ran } from "../cli.ts"

const Findings = Schema.fromJsonString(Schema.Array(Schema.Struct({
  severity: Schema.Literals(["error", "warning"]),
  check: Schema.NonEmptyString,
  subject: Schema.NonEmptyString,
  cause: Schema.NonEmptyString,
  remedy: Schema.NonEmptyString
})))

/** Decodes them. */
export const checksOf = ({ out }: Ran) => Schema.decodeEffect(Findings)(out)
