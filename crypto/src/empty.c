typedef int crypto_empty;
