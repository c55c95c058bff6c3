import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import {
  type Current,
  decodeIdentify,
  encodeIdentifyResponse,
  type IdentifyLimits,
  IdentifyRequest,
  IdentifyResponse,
  negotiate
} from "../../../src/protocol/client/Identify.ts"

const limits: IdentifyLimits = {
  maxHeartbeatInterval: 60_000,
  defaultHeartbeatInterval: 30_000,
  maxOutputBufferSize: 65_536,
  defaultOutputBufferSize: 16_384,
  minOutputBufferTimeout: 25,
  maxOutputBufferTimeout: 30_000,
  defaultOutputBufferTimeout: 250,
  maxMsgTimeout: 900_000,
  defaultMsgTimeout: 60_000,
  tls: true,
  deflate: true,
  maxDeflateLevel: 6,
  snappy: true
}

/** The values before the first IDENTIFY. */
const initial: Current = {
  heartbeatInterval: limits.defaultHeartbeatInterval,
  outputBufferSize: limits.defaultOutputBufferSize,
  outputBufferTimeout: limits.defaultOutputBufferTimeout,
  msgTimeout: limits.defaultMsgTimeout
}

const decode = (body: string) => decodeIdentify(Buffer.from(body))
const settle = (fields: object, changed: Partial<IdentifyLimits> = {}) =>
  Result.flatMap(decode(JSON.stringify(fields)), (request) => negotiate(request, { ...limits, ...changed }, initial))
const settled = (fields: object, changed: Partial<IdentifyLimits> = {}) => Result.getOrThrow(settle(fields, changed))
const errorOf = <A>(result: Result.Result<A, { readonly message: string }>): string =>
  Result.isFailure(result) ? result.failure.message : "no error"

describe("IDENTIFY", () => {
  it.prop("IDENTIFY requests round-trip", [IdentifyRequest], ([request]) => {
    assert.strictEqual(JSON.stringify(Result.getOrThrow(decode(JSON.stringify(request)))), JSON.stringify(request))
  })

  it.prop("IDENTIFY responses round-trip", [IdentifyResponse], ([response]) => {
    const read = Schema.decodeSync(Schema.fromJsonString(IdentifyResponse))(encodeIdentifyResponse(response))
    assert.strictEqual(JSON.stringify(read), JSON.stringify(response))
  })

  it.prop("decoding any IDENTIFY body returns a request or E_BAD_BODY", [Schema.String], ([text]) => {
    const result = decode(text)
    assert.isTrue(Result.isSuccess(result) || errorOf(result) === "E_BAD_BODY IDENTIFY failed to decode JSON body")
  })

  it.prop(
    "decoding a damaged IDENTIFY body returns a request that its Schema accepts or E_BAD_BODY",
    [IdentifyRequest, Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))],
    ([request, changes]) => {
      const body = Buffer.from(JSON.stringify(request))
      for (const [at, value] of changes) body[Math.abs(at) % body.length] = value & 0xff
      const result = decodeIdentify(body)
      if (Result.isSuccess(result)) assert.isTrue(Schema.is(IdentifyRequest)(result.success))
      else assert.strictEqual(errorOf(result), "E_BAD_BODY IDENTIFY failed to decode JSON body")
    }
  )

  it("IDENTIFY keeps earlier negotiated values that it does not set", () => {
    const first = settled({ msg_timeout: 4000, output_buffer_size: 128, heartbeat_interval: -1 })
    const request = Result.getOrThrow(decode(JSON.stringify({ output_buffer_timeout: 50 })))
    const second = Result.getOrThrow(negotiate(request, limits, first))
    assert.strictEqual(second.msgTimeout, 4000)
    assert.strictEqual(second.outputBufferSize, 128)
    assert.strictEqual(second.heartbeatInterval, 0)
    assert.strictEqual(second.outputBufferTimeout, 50)
  })

  it("IDENTIFY accepts numbers up to Go's limits, and refuses larger ones as invalid JSON", () => {
    const bad = "E_BAD_BODY IDENTIFY failed to decode JSON body"
    for (const rate of [4294967296, 2147483648, -2147483649]) {
      assert.strictEqual(errorOf(settle({ sample_rate: rate })), bad)
    }
    for (const rate of [2147483647, -2147483648]) {
      assert.strictEqual(errorOf(settle({ sample_rate: rate })), `E_BAD_BODY IDENTIFY sample rate (${rate}) is invalid`)
    }
  })

  it("IDENTIFY with a too long string is refused with its name and sizes", () => {
    for (const field of ["client_id", "hostname", "user_agent", "topology_region", "topology_zone"]) {
      assert.strictEqual(errorOf(settle({ [field]: "x".repeat(512) })), "no error")
      assert.strictEqual(
        errorOf(settle({ [field]: "é".repeat(257) })),
        `E_BAD_BODY IDENTIFY ${field} too long 514 > 512`
      )
    }
  })

  it("IDENTIFY with deeply nested JSON or many keys is refused before it is parsed", () => {
    const bad = "E_BAD_BODY IDENTIFY failed to decode JSON body"
    const nested = (depth: number) => `{"x":${"[".repeat(depth)}${"]".repeat(depth)}}`
    const keys = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i])))
    assert.isTrue(Result.isSuccess(decode(nested(31))))
    assert.strictEqual(errorOf(decode(nested(32))), bad)
    assert.isTrue(Result.isSuccess(decode(keys(256))))
    assert.strictEqual(errorOf(decode(keys(257))), bad)
    // Characters inside strings do not count.
    assert.isTrue(Result.isSuccess(decode(JSON.stringify({ user_agent: "[{:\"".repeat(80) }))))
  })

  it.prop("negotiated values are within the server's limits, or the error is fatal", [IdentifyRequest], ([request]) => {
    const result = negotiate(request, limits, initial)
    if (Result.isFailure(result)) {
      assert.isTrue(result.failure.fatal)
      assert.match(
        result.failure.message,
        /^E_(BAD_BODY IDENTIFY .* is invalid|IDENTIFY_FAILED cannot enable both .*)$/
      )
      return
    }
    const { heartbeatInterval, msgTimeout, outputBufferSize, sampleRate } = result.success
    assert.isTrue(heartbeatInterval === 0 || (heartbeatInterval >= 1000 && heartbeatInterval <= 60_000))
    assert.isTrue(outputBufferSize === 1 || (outputBufferSize >= 64 && outputBufferSize <= 65_536))
    assert.isTrue(msgTimeout >= 1000 && msgTimeout <= 900_000)
    assert.isTrue(sampleRate >= 0 && sampleRate <= 99)
  })

  it("keys of IDENTIFY match in any case, null is absent, and unknown keys are ignored", () => {
    const request = Result.getOrThrow(decode("{\"Client_ID\":\"me\",\"hostname\":null,\"other\":[1]}"))
    assert.strictEqual(request.client_id, "me")
    assert.strictEqual(request.hostname, "")
  })

  for (
    const body of [
      "",
      "nonsense",
      "[]",
      "1",
      "{\"client_id\":1}",
      "{\"heartbeat_interval\":\"1000\"}",
      "{\"snappy\":1}"
    ]
  ) {
    it(`IDENTIFY with the body ${body} is refused`, () => {
      assert.strictEqual(errorOf(decode(body)), "E_BAD_BODY IDENTIFY failed to decode JSON body")
    })
  }

  it("an empty IDENTIFY negotiates the server's defaults", () => {
    assert.deepStrictEqual(
      { ...settled({}), clientId: "" },
      {
        clientId: "",
        hostname: "",
        userAgent: "",
        heartbeatInterval: 30_000,
        outputBufferSize: 16_384,
        outputBufferTimeout: 250,
        sampleRate: 0,
        msgTimeout: 60_000,
        topologyRegion: "",
        topologyZone: "",
        tls: false,
        deflate: false,
        deflateLevel: 6,
        snappy: false,
        headers: false,
        rejects: false
      }
    )
  })

  const refused: ReadonlyArray<readonly [fields: object, error: string]> = [
    [{ heartbeat_interval: 999 }, "E_BAD_BODY IDENTIFY heartbeat interval (999) is invalid"],
    [{ heartbeat_interval: 60_001 }, "E_BAD_BODY IDENTIFY heartbeat interval (60001) is invalid"],
    [{ heartbeat_interval: -2 }, "E_BAD_BODY IDENTIFY heartbeat interval (-2) is invalid"],
    [{ output_buffer_timeout: 24 }, "E_BAD_BODY IDENTIFY output buffer timeout (24) is invalid"],
    [{ output_buffer_timeout: 30_001 }, "E_BAD_BODY IDENTIFY output buffer timeout (30001) is invalid"],
    [{ output_buffer_size: 63 }, "E_BAD_BODY IDENTIFY output buffer size (63) is invalid"],
    [{ output_buffer_size: 65_537 }, "E_BAD_BODY IDENTIFY output buffer size (65537) is invalid"],
    [{ sample_rate: -1 }, "E_BAD_BODY IDENTIFY sample rate (-1) is invalid"],
    [{ sample_rate: 100 }, "E_BAD_BODY IDENTIFY sample rate (100) is invalid"],
    [{ msg_timeout: 999 }, "E_BAD_BODY IDENTIFY msg timeout (999) is invalid"],
    [{ msg_timeout: 900_001 }, "E_BAD_BODY IDENTIFY msg timeout (900001) is invalid"],
    [
      { feature_negotiation: true, deflate: true, snappy: true },
      "E_IDENTIFY_FAILED cannot enable both deflate and snappy compression"
    ]
  ]
  for (const [fields, error] of refused) {
    it(`IDENTIFY with ${JSON.stringify(fields)} is refused`, () => assert.strictEqual(errorOf(settle(fields)), error))
  }

  it("-1 turns heartbeats, buffering and the output timer off", () => {
    assert.strictEqual(settled({ heartbeat_interval: -1 }).heartbeatInterval, 0)
    assert.strictEqual(settled({ output_buffer_timeout: -1 }).outputBufferTimeout, 0)
    const unbuffered = settled({ output_buffer_size: -1 })
    assert.deepStrictEqual([unbuffered.outputBufferSize, unbuffered.outputBufferTimeout], [1, 0])
  })

  it("TLS and compression need feature_negotiation and the server's support", () => {
    assert.isFalse(settled({ tls_v1: true, snappy: true }).snappy)
    const wishes = { feature_negotiation: true, tls_v1: true, deflate: true, deflate_level: 9 }
    assert.deepInclude(settled(wishes), { tls: true, deflate: true, deflateLevel: 6 })
    assert.deepInclude(settled(wishes, { tls: false, deflate: false }), { tls: false, deflate: false })
  })
})
