/** Filters of bodies: the search in whole records misses no body that the parser, or the regular expression, finds. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { RE2JS } from "re2js"
import * as BodyFilter from "../../../../src/services/nsqd/broker/BodyFilter.ts"
import { literalOf } from "../../../../src/services/nsqd/broker/RegexLiteral.ts"

const compile = (regex: string) =>
  Result.try(() => {
    const pattern = RE2JS.compile(regex)
    return (text: string) => pattern.matcher(text).find()
  })

const filterOf = (options: Partial<BodyFilter.FilterOptions>): BodyFilter.BodyFilter =>
  Result.getOrThrow(BodyFilter.make({ contains: undefined, json: undefined, regex: undefined, ...options }, compile))

/** The bodies that a filter finds in one record, as the browser of messages looks for them. */
const found = (filter: BodyFilter.BodyFilter, bodies: ReadonlyArray<Buffer>): ReadonlyArray<number> => {
  const header = Buffer.from("\0\0\0\x1e12:\"a\":1,\\u\"")
  const candidates = filter.search(Buffer.concat(bodies.flatMap((body) => [header, body])))
  const indexes: Array<number> = []
  let start = 0
  let candidate = -1
  bodies.forEach((body, index) => {
    if (candidate < start && candidate !== Infinity) candidate = candidates(start)
    if (candidate < 0) candidate = Infinity
    start += header.length + body.length
    if (candidate < start && filter.matches(body)) indexes.push(index)
  })
  return indexes
}

// ---- the reference: the parser alone

const at = (json: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (value, name) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined,
    json
  )

const parse = (body: Buffer) => Result.try((): unknown => JSON.parse(body.toString()))

const digitsOf = (_: string, value: unknown, context?: { readonly source?: string }): unknown =>
  typeof value === "number" ? context?.source ?? value : value

/** A whole number that JavaScript rounds is looked for by its digits. */
const isSameNumber = (body: Buffer, path: ReadonlyArray<string>, value: number, wanted: string): boolean =>
  /^-?\d+$/.test(wanted) && wanted !== "-0" && String(Number(wanted)) !== wanted
    ? at(JSON.parse(body.toString(), digitsOf), path) === wanted
    : String(value) === String(Number(wanted))

const hasValue = (body: Buffer, path: ReadonlyArray<string>, wanted: string): boolean => {
  const value = Result.getOrUndefined(Result.map(parse(body), (json) => at(json, path)))
  if (typeof value === "number" && /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(wanted)) {
    return isSameNumber(body, path, value, wanted)
  }
  return value !== undefined && (value === null || typeof value !== "object") && String(value) === wanted
}

const indexesOf = (bodies: ReadonlyArray<Buffer>, isWanted: (body: Buffer) => boolean): ReadonlyArray<number> =>
  bodies.flatMap((body, index) => isWanted(body) ? [index] : [])

// ---- JSON of all kinds

const names = [
  "a",
  "b",
  "id",
  "",
  "0",
  "1",
  "00",
  "length",
  "é",
  "x/y",
  "q\"",
  "b\\",
  "n\n",
  "\u0001",
  "😀",
  "\ufffd",
  "__proto__",
  "a,b",
  "[1"
]
const texts = [
  ...names,
  "true",
  "null",
  "4711",
  "100",
  "-0",
  "1e21",
  "0.1",
  "Infinity",
  "a\": 1",
  "x".repeat(200),
  "é".repeat(130)
]
const numbers = [
  "0",
  "-0",
  "0.0",
  "0e5",
  "-0.0E-3",
  "1e-400",
  "1",
  "1.0",
  "1e0",
  "0.99999999999999999999",
  "10e-1",
  "4711",
  "4711.000",
  "4.711e3",
  "471100E-2",
  "4710.99999999999999",
  "4710.9999",
  "47110",
  "-4711",
  "-4710.9999999999999999",
  "100",
  "1e2",
  "1E+2",
  "99.999999999999999999",
  "100.00000000000000000001",
  "0.1",
  "0.10",
  "1e-1",
  "0.09999999999999999999",
  "0.1000000000000000055511151231257827",
  "0.3",
  "0.30000000000000004",
  "0.30000000000000004441",
  "12345678.123456789",
  "12345678.123456788",
  "123456789012345",
  "123456789012344.99999",
  "123456789012345.01",
  "9007199254740992",
  "9007199254740993",
  "9007199254740991.7",
  "1e21",
  "1000000000000000000000",
  "1e999",
  "-1e999",
  "0.0000001",
  "1e-7",
  "0.000001",
  "5e-324",
  "-1.5",
  "-1.50",
  "-15e-1",
  "-1.4999999999999999999"
]
const words = ["true", "false", "null"]
const spaces = ["", "", "", " ", "\n", "\t \r"]

/** Decisions that a seed determines, all of them equally likely. */
class Choices {
  private state: number
  constructor(seed: number) {
    this.state = seed
  }
  of<A>(options: ReadonlyArray<A>): A {
    const option = options[this.below(options.length)]
    if (option === undefined) throw new Error("no options")
    return option
  }
  below(limit: number): number {
    this.state = Math.imul(this.state ^ (this.state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5 | 0
    const mixed = Math.imul(this.state ^ (this.state >>> 12), 0x297a2d39)
    return ((mixed ^ (mixed >>> 15)) >>> 0) % limit
  }
}

const unitOf = (unit: string, isUpper: boolean): string => {
  const digits = unit.charCodeAt(0).toString(16).padStart(4, "0")
  return `\\u${isUpper ? digits.toUpperCase() : digits}`
}

/** A string of JSON in one of its forms. */
const writeText = (choices: Choices, text: string): string => {
  const style = choices.below(6)
  const inner = Array.from(text, (character) => {
    const isEscaped = style === 5 || (style === 4 && choices.below(3) === 0)
    if (isEscaped) {
      return Array.from({ length: character.length }, (_, i) => unitOf(character.charAt(i), style === 5)).join("")
    }
    if (character === "/" && style === 3) return "\\/"
    return JSON.stringify(character).slice(1, -1)
  })
  return `"${inner.join("")}"`
}

const space = (choices: Choices): string => choices.of(spaces)

const writeLeaf = (choices: Choices): string => {
  switch (choices.below(3)) {
    case 0:
      return writeText(choices, choices.of(texts))
    case 1:
      return choices.of(numbers)
    default:
      return choices.of(words)
  }
}

const write = (choices: Choices, depth: number): string => {
  const around = (text: string) => space(choices) + text + space(choices)
  if (depth === 0 || choices.below(3) === 0) return around(writeLeaf(choices))
  const members = Array.from({ length: choices.below(4) }, () => depth)
  if (choices.below(3) === 0) return around(`[${members.map(() => write(choices, depth - 1)).join(",")}]`)
  const written = members.map(() => `${around(writeText(choices, choices.of(names)))}:${write(choices, depth - 1)}`)
  return around(`{${written.join(",")}}`)
}

/** A body: usually JSON, and otherwise bytes that resemble it. */
const writeBody = (choices: Choices): Buffer => {
  const body = Buffer.from(write(choices, 3))
  const place = choices.below(body.length)
  switch (choices.below(8)) {
    case 1:
      return body.subarray(0, place)
    case 2:
      body.writeUInt8(choices.of([0xff, 0xc3, 0x80, 0x22, 0x5c, 0x00, 0x2c]), place)
      return body
    case 3:
      return Buffer.concat([Buffer.from("\ufeff"), body])
    default:
      return body
  }
}

/** A path in the JSON with its value, if there is one, as a condition. */
const conditionIn = (choices: Choices, body: Buffer): readonly [path: ReadonlyArray<string>, wanted: string] => {
  const path: Array<string> = []
  let json: unknown = Result.getOrUndefined(parse(body))
  while (typeof json === "object" && json !== null && path.length < 4) {
    const own = Reflect.ownKeys(json).filter((key): key is string => typeof key === "string")
    if (own.length === 0) break
    const name = choices.of(own)
    path.push(name)
    json = Reflect.get(json, name)
  }
  const isOther = choices.below(4) === 0
  const wanted = isOther || typeof json === "object" ? choices.of([...texts, ...numbers, ...words]) : String(json)
  if (path.length === 0 || choices.below(8) === 0) path.push(choices.of(names))
  return [path, wanted]
}

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 }))

describe("filters of bodies", () => {
  it.effect.prop(
    "the search in a record finds the same JSON as the parser",
    { seed: Seed },
    ({ seed }) =>
      Effect.sync(() => {
        const choices = new Choices(seed)
        const bodies = Array.from({ length: 4 }, () => writeBody(choices))
        for (const body of bodies) {
          const [path, wanted] = conditionIn(choices, body)
          // A condition has no names with dots, nor an empty path.
          if (path.join(".") === "" || path.some((name) => name.includes("="))) continue
          const filter = filterOf({ json: `${path.join(".")}=${wanted}` })
          const expected = indexesOf(bodies, (body) => hasValue(body, path, wanted))
          assert.deepStrictEqual(found(filter, bodies), expected, `${path.join(".")}=${wanted}`)
        }
      }),
    { arbitrary: { runs: 3000 } }
  )

  it("every form of a number is found by the number that JavaScript writes", () => {
    for (const number of numbers) {
      for (
        const form of [
          `{"a":${number}}`,
          `{"a" :\n${number} }`,
          `{"\\u0061":${number},"b":1}`,
          `{"b":[1],"a":${number}}`
        ]
      ) {
        const wanted = String(Number(number))
        assert.deepStrictEqual(found(filterOf({ json: `a=${wanted}` }), [Buffer.from(form)]), [0], form)
      }
      assert.deepStrictEqual(found(filterOf({ json: `0=${String(Number(number))}` }), [Buffer.from(`[${number}]`)]), [
        0
      ])
    }
  })

  it.effect.prop(
    "decimal numbers beside a double are found by it",
    {
      digits: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 999_999_999 })),
      places: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 12 })),
      nines: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 25 })),
      isNegative: Schema.Boolean
    },
    ({ digits, isNegative, nines, places }) =>
      Effect.sync(() => {
        const wanted = (isNegative ? -digits : digits) / 10 ** places
        const text = digits.toString().padStart(places + 1, "0")
        const below = (digits - 1).toString().padStart(places + 1, "0")
        const place = (value: string, more: string): string => {
          const fraction = value.slice(value.length - places) + more
          return `${isNegative ? "-" : ""}${value.slice(0, value.length - places)}${
            fraction === "" ? "" : `.${fraction}`
          }`
        }
        const zeros = "0".repeat(nines)
        const forms = [
          place(text, ""),
          place(text, zeros),
          place(text, `${zeros}1`),
          place(below, "9".repeat(nines)),
          place(below, `${"9".repeat(nines)}5`),
          `${place(text, "")}e0`
        ].map((number) => Buffer.from(`{"a":${number}}`))
        const expected = indexesOf(forms, (body) => hasValue(body, ["a"], String(wanted)))
        assert.deepStrictEqual(found(filterOf({ json: `a=${wanted}` }), forms), expected)
      }),
    { arbitrary: { runs: 1000 } }
  )

  it("a number is found in any form of JSON, and a whole number that JavaScript rounds by its digits alone", () => {
    const bodies = ["{\"a\":1.5}", "{\"a\":1.50}", "{\"a\":15e-1}", "{\"a\":\"1.50\"}"].map((text) => Buffer.from(text))
    assert.deepStrictEqual(found(filterOf({ json: "a=1.5" }), bodies), [0, 1, 2])
    assert.deepStrictEqual(found(filterOf({ json: "a=1.50" }), bodies), [0, 1, 2, 3])
    assert.deepStrictEqual(found(filterOf({ json: "a=15E-1" }), bodies), [0, 1, 2])
    const ids = ["1234567890123456788", "1234567890123456789", "12345678901234567890", "\"1234567890123456789\""].map((
      id
    ) => Buffer.from(`{"user":{"id": ${id}}}`))
    assert.deepStrictEqual(found(filterOf({ json: "user.id=1234567890123456789" }), ids), [1, 3])
    // A name for which there is no pattern.
    const other = ["{\"\ufffd\":9007199254740993}", "{\"\ufffd\":9007199254740992}"].map((text) => Buffer.from(text))
    assert.deepStrictEqual(found(filterOf({ json: "\ufffd=9007199254740993" }), other), [0])
    assert.deepStrictEqual(found(filterOf({ json: "a=-0" }), [Buffer.from("{\"a\":-0}"), Buffer.from("{\"a\":0}")]), [
      0,
      1
    ])
  })

  it("the length of an array, an element of an array and a name with a number are found", () => {
    const bodies = ["{\"a\":[1,2,3]}", "{\"a\":{\"length\":3}}", "{\"a\":{\"1\":2}}", "[2]"].map((text) =>
      Buffer.from(text)
    )
    assert.deepStrictEqual(found(filterOf({ json: "a.length=3" }), bodies), [0, 1])
    assert.deepStrictEqual(found(filterOf({ json: "a.1=2" }), bodies), [0, 2])
    assert.deepStrictEqual(found(filterOf({ json: "0=2" }), bodies), [3])
  })

  it("bodies without the value are not given to the parser, except where it is written under another name", () => {
    const candidates = (json: string, body: string) => filterOf({ json }).search(Buffer.from(body))(0) >= 0
    for (const other of ["{\"id\":47112}", "{\"id\":\"4712\"}", "{\"x\":4711}", "{\"id\":1,\"t\":\"a\\u0026b\"}"]) {
      assert.isFalse(candidates("user.id=4711", other), other)
    }
    assert.isTrue(candidates("user.id=4711", "{\"order\":{\"id\":4711}}"))
    assert.deepStrictEqual(found(filterOf({ json: "user.id=4711" }), [Buffer.from("{\"order\":{\"id\":4711}}")]), [])
  })

  it("a record that is longer than 4 MiB is searched body by body, and long runs in a shorter one have no effect", () => {
    const bodies = [`{"a":1,"b":"${"x".repeat(5_000_000)}"}`, "{\"a\":2}", "{\"a\":1}"].map((text) => Buffer.from(text))
    assert.deepStrictEqual(found(filterOf({ json: "a=1" }), bodies), [0, 2])
    const spaced = Buffer.from(`{"a":${" ".repeat(3_900_000)}1}`)
    assert.deepStrictEqual(found(filterOf({ json: "a=1" }), [spaced]), [0])
    const digits = Buffer.from(`{"a":${"1".repeat(3_900_000)}}`)
    assert.deepStrictEqual(found(filterOf({ json: "a=1" }), [digits]), [])
    assert.deepStrictEqual(found(filterOf({ json: "a=Infinity" }), [digits]), [0])
  })

  it("all filters of a request count", () => {
    const bodies = ["{\"a\":1,\"b\":\"tea\"}", "{\"a\":1,\"b\":\"oil\"}", "{\"a\":2,\"b\":\"tea\"}"].map((text) =>
      Buffer.from(text)
    )
    assert.deepStrictEqual(found(filterOf({}), bodies), [0, 1, 2])
    assert.deepStrictEqual(found(filterOf({ contains: "" }), bodies), [0, 1, 2])
    assert.deepStrictEqual(found(filterOf({ contains: "tea" }), bodies), [0, 2])
    assert.deepStrictEqual(found(filterOf({ contains: "tea", json: "a=1" }), bodies), [0])
    assert.deepStrictEqual(found(filterOf({ regex: "t.a", json: "a=2" }), bodies), [2])
    assert.deepStrictEqual(found(filterOf({ regex: "(tea|oil)", json: "a=1" }), bodies), [0, 1])
  })

  it("the literal of a regular expression is what each match contains", () => {
    const literals: ReadonlyArray<readonly [regex: string, literal: string]> = [
      ["NEEDLE", "NEEDLE"],
      ["NEEDLE-\\d+", "NEEDLE-"],
      ["^order \\d+ failed$", " failed"],
      ["a\\.b\\{c", "a.b{c"],
      ["abc*", "ab"],
      ["abc+d", "abc"],
      ["ab{2}", "a"],
      ["ab?cde", "cde"],
      ["ab*?cde", "a"],
      [".*user", "user"],
      ["a|b", ""],
      ["abc(d|e)", ""],
      ["abc(de)", "abc"],
      ["abc[de]fghij", "abc"],
      ["(?i)abc", ""],
      ["abc\\Q.*\\E", "abc"],
      ["\\x41bc", ""],
      ["é", ""],
      ["", ""]
    ]
    for (const [regex, literal] of literals) assert.strictEqual(literalOf(regex), literal, regex)
  })

  const Piece = Schema.Literals(["a", "b", "c", "-", "\\.", "\\d", ".", "^", "$", "\\b", "[ab]", "(b)", "(?:c)", "é"])
  const Pattern = Schema.Array(
    Schema.Struct({ piece: Piece, repetition: Schema.Literals(["", "", "", "*", "+", "?", "*?", "{2}", "{0,1}"]) })
  ).check(Schema.isMaxLength(5))

  it.effect.prop(
    "the search in a record finds the same bodies as the regular expression",
    { seed: Seed, pattern: Pattern, other: Pattern, isEither: Schema.Boolean },
    ({ isEither, other, pattern, seed }) =>
      Effect.sync(() => {
        const textOf = (pieces: typeof pattern) => pieces.map(({ piece, repetition }) => piece + repetition).join("")
        const regex = isEither ? `${textOf(pattern)}|${textOf(other)}` : textOf(pattern)
        const compiled = compile(regex)
        if (Result.isFailure(compiled)) return
        const choices = new Choices(seed)
        const letters = ["a", "b", "c", "-", ".", "1", "é", "\xff"]
        const bodies = Array.from({ length: 8 }, () =>
          Buffer.from(
            Array.from({ length: choices.below(8) }, () => choices.of(letters)).join(""),
            choices.below(2) === 0 ? "utf8" : "latin1"
          ))
        assert.deepStrictEqual(
          found(filterOf({ regex }), bodies),
          indexesOf(bodies, (body) => compiled.success(body.toString())),
          regex
        )
      }),
    { arbitrary: { runs: 1000 } }
  )
})
