/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * libtss2, loaded when the first of its functions is called and not before: a machine whose volumes need no TPM pays nothing for it, and
 * its image need not hold it (the cap does without, pcr_by_hand.h). The functions keep their names: each is a macro here that finds the
 * library's. Where that is not to be had they all return TPM_RC_NO_LIBRARY, which tpm_fail() puts in words. vtpm/ only.
 */
#ifndef CRYPTATTEST_VTPM_TSS2_H
#define CRYPTATTEST_VTPM_TSS2_H

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>

#define TPM_RC_NO_LIBRARY (TSS2_TCTI_RC_LAYER | (TSS2_LAYER_IMPLEMENTATION_SPECIFIC_OFFSET + 1))

/* NULL: it is loaded. Else the reason why not, for the life of the process. */
const char *tss2_missing(void);

/* A code in the library's words; NULL without them (libtss2-rc). */
const char *tss2_rc_text(TSS2_RC rc);

#define TSS2_ESYS_FUNCTIONS(F) \
	F(Esys_Certify) \
	F(Esys_CertifyCreation) \
	F(Esys_Create) \
	F(Esys_CreatePrimary) \
	F(Esys_EventSequenceComplete) \
	F(Esys_EvictControl) \
	F(Esys_Finalize) \
	F(Esys_FlushContext) \
	F(Esys_Free) \
	F(Esys_GetCapability) \
	F(Esys_GetSysContext) \
	F(Esys_HashSequenceStart) \
	F(Esys_Initialize) \
	F(Esys_Load) \
	F(Esys_LoadExternal) \
	F(Esys_NV_DefineSpace) \
	F(Esys_NV_Increment) \
	F(Esys_NV_Read) \
	F(Esys_NV_UndefineSpace) \
	F(Esys_NV_Write) \
	F(Esys_PCR_Event) \
	F(Esys_PCR_Extend) \
	F(Esys_PCR_Read) \
	F(Esys_PolicyAuthValue) \
	F(Esys_PolicyAuthorize) \
	F(Esys_PolicyGetDigest) \
	F(Esys_PolicyNV) \
	F(Esys_PolicyPCR) \
	F(Esys_ReadPublic) \
	F(Esys_SequenceUpdate) \
	F(Esys_StartAuthSession) \
	F(Esys_Startup) \
	F(Esys_TRSess_SetAttributes) \
	F(Esys_TR_Close) \
	F(Esys_TR_FromTPMPublic) \
	F(Esys_TR_GetTpmHandle) \
	F(Esys_TR_Serialize) \
	F(Esys_TR_SetAuth) \
	F(Esys_Unseal) \
	F(Esys_VerifySignature)
#define TSS2_MU_FUNCTIONS(F) \
	F(Tss2_MU_TPM2B_CREATION_DATA_Marshal) \
	F(Tss2_MU_TPM2B_CREATION_DATA_Unmarshal) \
	F(Tss2_MU_TPM2B_NAME_Unmarshal) \
	F(Tss2_MU_TPM2B_NV_PUBLIC_Unmarshal) \
	F(Tss2_MU_TPM2B_PRIVATE_Marshal) \
	F(Tss2_MU_TPM2B_PRIVATE_Unmarshal) \
	F(Tss2_MU_TPM2B_PUBLIC_Marshal) \
	F(Tss2_MU_TPM2B_PUBLIC_Unmarshal) \
	F(Tss2_MU_TPMS_ATTEST_Unmarshal) \
	F(Tss2_MU_TPMS_NV_PUBLIC_Marshal) \
	F(Tss2_MU_TPMT_PUBLIC_Marshal) \
	F(Tss2_MU_TPMT_PUBLIC_Unmarshal) \
	F(Tss2_MU_TPMT_TK_CREATION_Marshal) \
	F(Tss2_MU_TPMT_TK_CREATION_Unmarshal) \
	F(Tss2_MU_UINT32_Marshal) \
	F(Tss2_MU_UINT32_Unmarshal)

enum tss2_function {
#define TSS2_NUMBER(name) TSS2_##name,
	TSS2_ESYS_FUNCTIONS(TSS2_NUMBER) TSS2_MU_FUNCTIONS(TSS2_NUMBER)
#undef TSS2_NUMBER
	TSS2_FUNCTIONS
};

typedef void (*tss2_any)(void);
tss2_any tss2_function(enum tss2_function f);

#define TSS2_LOADED(name) ((__typeof__(&name))tss2_function(TSS2_##name))
#define Esys_Certify TSS2_LOADED(Esys_Certify)
#define Esys_CertifyCreation TSS2_LOADED(Esys_CertifyCreation)
#define Esys_Create TSS2_LOADED(Esys_Create)
#define Esys_CreatePrimary TSS2_LOADED(Esys_CreatePrimary)
#define Esys_EventSequenceComplete TSS2_LOADED(Esys_EventSequenceComplete)
#define Esys_EvictControl TSS2_LOADED(Esys_EvictControl)
#define Esys_Finalize TSS2_LOADED(Esys_Finalize)
#define Esys_FlushContext TSS2_LOADED(Esys_FlushContext)
#define Esys_Free TSS2_LOADED(Esys_Free)
#define Esys_GetCapability TSS2_LOADED(Esys_GetCapability)
#define Esys_GetSysContext TSS2_LOADED(Esys_GetSysContext)
#define Esys_HashSequenceStart TSS2_LOADED(Esys_HashSequenceStart)
#define Esys_Initialize TSS2_LOADED(Esys_Initialize)
#define Esys_Load TSS2_LOADED(Esys_Load)
#define Esys_LoadExternal TSS2_LOADED(Esys_LoadExternal)
#define Esys_NV_DefineSpace TSS2_LOADED(Esys_NV_DefineSpace)
#define Esys_NV_Increment TSS2_LOADED(Esys_NV_Increment)
#define Esys_NV_Read TSS2_LOADED(Esys_NV_Read)
#define Esys_NV_UndefineSpace TSS2_LOADED(Esys_NV_UndefineSpace)
#define Esys_NV_Write TSS2_LOADED(Esys_NV_Write)
#define Esys_PCR_Event TSS2_LOADED(Esys_PCR_Event)
#define Esys_PCR_Extend TSS2_LOADED(Esys_PCR_Extend)
#define Esys_PCR_Read TSS2_LOADED(Esys_PCR_Read)
#define Esys_PolicyAuthValue TSS2_LOADED(Esys_PolicyAuthValue)
#define Esys_PolicyAuthorize TSS2_LOADED(Esys_PolicyAuthorize)
#define Esys_PolicyGetDigest TSS2_LOADED(Esys_PolicyGetDigest)
#define Esys_PolicyNV TSS2_LOADED(Esys_PolicyNV)
#define Esys_PolicyPCR TSS2_LOADED(Esys_PolicyPCR)
#define Esys_ReadPublic TSS2_LOADED(Esys_ReadPublic)
#define Esys_SequenceUpdate TSS2_LOADED(Esys_SequenceUpdate)
#define Esys_StartAuthSession TSS2_LOADED(Esys_StartAuthSession)
#define Esys_Startup TSS2_LOADED(Esys_Startup)
#define Esys_TRSess_SetAttributes TSS2_LOADED(Esys_TRSess_SetAttributes)
#define Esys_TR_Close TSS2_LOADED(Esys_TR_Close)
#define Esys_TR_FromTPMPublic TSS2_LOADED(Esys_TR_FromTPMPublic)
#define Esys_TR_GetTpmHandle TSS2_LOADED(Esys_TR_GetTpmHandle)
#define Esys_TR_Serialize TSS2_LOADED(Esys_TR_Serialize)
#define Esys_TR_SetAuth TSS2_LOADED(Esys_TR_SetAuth)
#define Esys_Unseal TSS2_LOADED(Esys_Unseal)
#define Esys_VerifySignature TSS2_LOADED(Esys_VerifySignature)
#define Tss2_MU_TPM2B_CREATION_DATA_Marshal TSS2_LOADED(Tss2_MU_TPM2B_CREATION_DATA_Marshal)
#define Tss2_MU_TPM2B_CREATION_DATA_Unmarshal TSS2_LOADED(Tss2_MU_TPM2B_CREATION_DATA_Unmarshal)
#define Tss2_MU_TPM2B_NAME_Unmarshal TSS2_LOADED(Tss2_MU_TPM2B_NAME_Unmarshal)
#define Tss2_MU_TPM2B_NV_PUBLIC_Unmarshal TSS2_LOADED(Tss2_MU_TPM2B_NV_PUBLIC_Unmarshal)
#define Tss2_MU_TPM2B_PRIVATE_Marshal TSS2_LOADED(Tss2_MU_TPM2B_PRIVATE_Marshal)
#define Tss2_MU_TPM2B_PRIVATE_Unmarshal TSS2_LOADED(Tss2_MU_TPM2B_PRIVATE_Unmarshal)
#define Tss2_MU_TPM2B_PUBLIC_Marshal TSS2_LOADED(Tss2_MU_TPM2B_PUBLIC_Marshal)
#define Tss2_MU_TPM2B_PUBLIC_Unmarshal TSS2_LOADED(Tss2_MU_TPM2B_PUBLIC_Unmarshal)
#define Tss2_MU_TPMS_ATTEST_Unmarshal TSS2_LOADED(Tss2_MU_TPMS_ATTEST_Unmarshal)
#define Tss2_MU_TPMS_NV_PUBLIC_Marshal TSS2_LOADED(Tss2_MU_TPMS_NV_PUBLIC_Marshal)
#define Tss2_MU_TPMT_PUBLIC_Marshal TSS2_LOADED(Tss2_MU_TPMT_PUBLIC_Marshal)
#define Tss2_MU_TPMT_PUBLIC_Unmarshal TSS2_LOADED(Tss2_MU_TPMT_PUBLIC_Unmarshal)
#define Tss2_MU_TPMT_TK_CREATION_Marshal TSS2_LOADED(Tss2_MU_TPMT_TK_CREATION_Marshal)
#define Tss2_MU_TPMT_TK_CREATION_Unmarshal TSS2_LOADED(Tss2_MU_TPMT_TK_CREATION_Unmarshal)
#define Tss2_MU_UINT32_Marshal TSS2_LOADED(Tss2_MU_UINT32_Marshal)
#define Tss2_MU_UINT32_Unmarshal TSS2_LOADED(Tss2_MU_UINT32_Unmarshal)

#endif
