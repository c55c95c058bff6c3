import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import {
  decodeNsqdMetadata,
  encodeNsqdMetadata,
  NsqdMetadata,
  topicsByName
} from "../../../src/protocol/storage/NsqdMetadata.ts"

const normal = (metadata: NsqdMetadata): unknown => JSON.parse(encodeNsqdMetadata(metadata))

describe("nsqd.dat", () => {
  it.prop("nsqd.dat round-trips", [NsqdMetadata], ([metadata]) => {
    const decoded = Result.getOrThrow(decodeNsqdMetadata(encodeNsqdMetadata(metadata)))
    assert.deepStrictEqual(normal(decoded), normal(metadata))
  })

  it.prop("decoding nsqd.dat with any text returns metadata or an error", [Schema.String], ([text]) => {
    assert.isTrue(Result.isResult(decodeNsqdMetadata(text)))
  })

  it.prop(
    "decoding a damaged nsqd.dat returns metadata that its Schema accepts, or an error",
    [NsqdMetadata, Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))],
    ([metadata, changes]) => {
      const bytes = Buffer.from(encodeNsqdMetadata(metadata))
      for (const [at, value] of changes) bytes[Math.abs(at) % bytes.length] = value & 0xff
      const decoded = decodeNsqdMetadata(bytes.toString())
      assert.isTrue(Result.isFailure(decoded) || Schema.is(NsqdMetadata)(decoded.success))
    }
  )

  it("nsqd.dat has NSQ's keys in NSQ's order, and null for empty lists", () => {
    const topics = [{ name: "t", paused: true, channels: [{ name: "c", paused: false }] }, {
      name: "u",
      paused: false,
      channels: []
    }]
    assert.strictEqual(
      encodeNsqdMetadata({ topics, version: "1.3.0" }),
      "{\"topics\":[{\"name\":\"t\",\"paused\":true,\"channels\":[{\"name\":\"c\",\"paused\":false}]}," +
        "{\"name\":\"u\",\"paused\":false,\"channels\":null}],\"version\":\"1.3.0\"}"
    )
    assert.strictEqual(encodeNsqdMetadata({ topics: [], version: "1.3.0" }), "{\"topics\":null,\"version\":\"1.3.0\"}")
  })

  interface Channel {
    readonly name: string
    readonly paused: boolean
  }
  const channel = (name: string, paused = false): Channel => ({ name, paused })
  const topic = (name: string, paused = false, channels: ReadonlyArray<Channel> | null = null) => ({
    name,
    paused,
    channels
  })

  for (
    const [text, topics] of [
      ["null", null],
      ["{}", null],
      [`{"topics":null,"version":null}`, null],
      [`{"version":"1.3.0"}`, null],
      [`{"topics":[]}`, []],
      [`{"topics":[{"name":"orders"}]}`, [topic("orders")]],
      [`{"topics":[{"name":"orders","paused":null,"channels":null}],"version":""}`, [topic("orders")]],
      [
        `{"topics":[{"name":"t","channels":[{"name":"c"},{"name":"d","paused":null},null]}]}`,
        [topic("t", false, [channel("c"), channel("d"), channel("")])]
      ],
      [
        `{"Topics":[{"NAME":"t","PauSed":true,"CHANNELS":[{"Name":"c","Paused":true}]}],"Version":"1.0"}`,
        [topic("t", true, [channel("c", true)])]
      ],
      [`{"topicſ":[{"name":"t"}]}`, [topic("t")]],
      [`{"topics":[null,{"paused":true}]}`, [topic(""), topic("", true)]],
      [`{"more":[1],"topics":[{"name":"t","messages":{"a":1}}]}`, [topic("t")]]
    ] as const
  ) {
    it(`nsqd.dat is decoded as in Go: ${text}`, () => {
      assert.deepStrictEqual(Result.getOrThrow(decodeNsqdMetadata(text)).topics, topics)
    })
  }

  for (
    const text of [
      "",
      " ",
      "{",
      "[]",
      "1",
      `"topics"`,
      "true",
      "{} {}",
      `\uFEFF{}`,
      `{"topics":{}}`,
      `{"topics":[1]}`,
      `{"topics":["t"]}`,
      `{"topics":[[]]}`,
      `{"topics":[{"name":1}]}`,
      `{"topics":[{"name":"t","paused":"true"}]}`,
      `{"topics":[{"name":"t","paused":1}]}`,
      `{"topics":[{"name":"t","channels":{}}]}`,
      `{"topics":[{"name":"t","channels":["c"]}]}`,
      `{"topics":[{"name":"t","channels":[{"name":"c","paused":0}]}]}`,
      `{"version":1}`
    ]
  ) {
    it(`nsqd.dat that Go refuses is an error: ${JSON.stringify(text)}`, () => {
      assert.isTrue(Result.isFailure(decodeNsqdMetadata(text)))
    })
  }

  it("entries of the same topic are merged, and it is paused if one entry is paused", () => {
    const topics = topicsByName({
      topics: [
        topic("t", true, [channel("c", true), channel("d")]),
        topic("u"),
        topic("t", false, [channel("c"), channel("e", true)])
      ],
      version: ""
    })
    assert.deepStrictEqual(
      topics,
      new Map([
        ["t", { paused: true, channels: new Map([["c", true], ["d", false], ["e", true]]) }],
        ["u", { paused: false, channels: new Map() }]
      ])
    )
    assert.strictEqual(topicsByName(undefined).size, 0)
  })
})
