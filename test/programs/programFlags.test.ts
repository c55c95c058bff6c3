import { assert, describe, it } from "@effect/vitest"
import { flagsOf } from "../../src/programs/programFlags.ts"
import * as NsqadminTable from "../../src/services/nsqadmin/NsqadminTable.ts"
import * as NsqdTable from "../../src/services/nsqd/options/NsqdTable.ts"
import * as NsqlookupdTable from "../../src/services/nsqlookupd/NsqlookupdTable.ts"
import * as NsqToNsq from "../../src/services/tools/NsqToNsq.ts"
import * as Stat from "../../src/services/tools/Stat.ts"
import * as Tail from "../../src/services/tools/Tail.ts"
import * as ToFile from "../../src/services/tools/ToFile.ts"
import * as ToHttp from "../../src/services/tools/ToHttp.ts"
import * as ToNsq from "../../src/services/tools/ToNsq.ts"

const tables = {
  nsqd: NsqdTable.table,
  nsqlookupd: NsqlookupdTable.table,
  nsqadmin: NsqadminTable.table,
  nsq_stat: Stat.table,
  nsq_tail: Tail.table,
  nsq_to_file: ToFile.table,
  nsq_to_http: ToHttp.table,
  nsq_to_nsq: NsqToNsq.table,
  to_nsq: ToNsq.table
}

describe("programFlags", () => {
  it("the flags are those of the programs' tables", () => {
    const expected = Object.entries(tables).map(([name, table]): [string, ReadonlyArray<string>] => [
      name,
      Object.values(table).map(({ flag }) => flag).toSorted()
    ])
    assert.deepStrictEqual(Array.from(flagsOf), expected)
  })
})
