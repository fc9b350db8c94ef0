// Findings of a batch, one entry for each instance and type.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ANOMALY_SEVERITY, ANOMALY_TYPES, type AnomalyType } from '../../src/contract/anomalies.ts'
import { PROOFS, type Proof } from '../../src/contract/catalog.ts'
import { type DatedFinding, foldFindings } from '../../src/domain/anomalies/fold.ts'

const T0 = Date.UTC(2026, 0, 1)

function seen(
  second: number,
  value: unknown,
  { instanceKey = 'a', type = 'limit_exceeded' as AnomalyType, proof = 'instance' as Proof } = {},
): DatedFinding {
  const seenAt = new Date(T0 + second * 1000)
  return {
    instanceKey,
    productId: 'p',
    type,
    severity: ANOMALY_SEVERITY[type],
    evidence: { value },
    seenAt,
    proof,
  }
}

describe('folding findings', () => {
  test('makes nothing of nothing', () => {
    expect(foldFindings([])).toEqual([])
  })

  test('adds counts and keeps the first and the last time, in whatever order they come', () => {
    expect(foldFindings([seen(5, 'middle'), seen(9, 'latest'), seen(1, 'earliest')])).toEqual([
      {
        instanceKey: 'a',
        productId: 'p',
        type: 'limit_exceeded',
        severity: 'medium',
        count: 3,
        firstSeenAt: new Date(T0 + 1000),
        lastSeenAt: new Date(T0 + 9000),
        evidence: { value: 'latest' },
        proof: 'instance',
      },
    ])
  })

  test('keeps instances and types apart, sorted', () => {
    const folded = foldFindings([
      seen(1, 1, { instanceKey: 'b' }),
      seen(2, 2, { type: 'tier_mismatch' }),
      seen(3, 3),
      seen(4, 4, { instanceKey: 'b' }),
    ])
    expect(folded.map((f) => [f.instanceKey, f.type, f.count])).toEqual([
      ['a', 'limit_exceeded', 1],
      ['a', 'tier_mismatch', 1],
      ['b', 'limit_exceeded', 2],
    ])
  })

  test('lets the last in the list win among equally late ones', () => {
    expect(foldFindings([seen(1, 'x'), seen(1, 'y')])[0]?.evidence).toEqual({ value: 'y' })
  })

  test.each([
    [['instance', 'none'], 'proven', 'instance'],
    [['none', 'instance'], 'later', 'instance'],
    [['license', 'relay'], 'later', 'relay'],
    [['none', 'none'], 'later', 'none'],
  ] as const)('of reports proven %j shows the %s one', ([first, second], shown, proof) => {
    const [folded] = foldFindings([seen(1, 'proven', { proof: first }), seen(2, 'later', { proof: second })])
    expect(folded).toMatchObject({
      count: 2,
      evidence: { value: shown },
      proof,
      lastSeenAt: new Date(T0 + 2000),
    })
  })

  test('loses no finding and holds each pair once', () => {
    const finding = fc
      .tuple(
        fc.nat(100),
        fc.nat(),
        fc.constantFrom('a', 'b', 'c'),
        fc.constantFrom(...ANOMALY_TYPES),
        fc.constantFrom(...PROOFS),
      )
      .map(([second, value, instanceKey, type, proof]) => seen(second, value, { instanceKey, type, proof }))
    fc.assert(
      fc.property(fc.array(finding, { maxLength: 60 }), (findings) => {
        const folded = foldFindings(findings)
        expect(folded.reduce((sum, f) => sum + f.count, 0)).toBe(findings.length)
        expect(new Set(folded.map((f) => `${f.instanceKey} ${f.type}`)).size).toBe(folded.length)
        for (const f of folded) {
          const own = findings.filter((g) => g.instanceKey === f.instanceKey && g.type === f.type)
          expect(f.firstSeenAt.getTime()).toBe(Math.min(...own.map((g) => g.seenAt.getTime())))
          expect(f.lastSeenAt.getTime()).toBe(Math.max(...own.map((g) => g.seenAt.getTime())))
          expect(f.proof === 'none').toBe(own.every((g) => g.proof === 'none'))
        }
      }),
    )
  })
})
